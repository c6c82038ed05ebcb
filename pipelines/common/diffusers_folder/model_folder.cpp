#include "pipelines/common/diffusers_folder/model_folder.hpp"

#include <algorithm>
#include <array>
#include <fastvideo/core.hpp>
#include <map>

#include "pipelines/common/diffusers_folder/json_file.hpp"
#include "pipelines/common/weights/linked_file.hpp"
#include "pipelines/common/weights/safetensors.hpp"
#include "pipelines/common/weights/weight_files.hpp"

namespace fastvideo {
namespace {

using std::filesystem::path;

constexpr const char* text_only = "this pipeline makes videos from text alone, with one transformer";

// Something is there, be it a link that leads nowhere: reading it says why it cannot be read.
bool is_there(const path& file) {
  std::error_code none;
  return std::filesystem::symlink_status(file, none).type() != std::filesystem::file_type::not_found;
}

/// The class of a component in model_index.json, which lists [library, class]; empty for null, [null, null] or absent.
std::string component_class(const JsonFile& index, std::string_view component) {
  const nlohmann::json value = index.value(component);
  if (value.is_null()) return {};
  if (!value.is_array() || value.size() != 2) index.refuse(component, "it must be [library, class]");
  if (value[0].is_null() && value[1].is_null()) return {};
  if (!value[1].is_string()) index.refuse(component, "it must be [library, class]");
  return value[1].get<std::string>();
}

void require_component(const JsonFile& index, std::string_view component,
                       std::initializer_list<std::string_view> classes) {
  const std::string name = component_class(index, component);
  if (std::find(classes.begin(), classes.end(), name) != classes.end()) return;
  std::string list;
  for (const std::string_view allowed : classes) list += (list.empty() ? "" : " or ") + std::string(allowed);
  if (name.empty()) index.refuse(std::string(component) + " is missing: it must be " + list);
  index.refuse(component, "it must be " + list);
}

void check_index(const JsonFile& index) {
  const std::string pipeline = index.string("_class_name", "");
  if (pipeline == "WanImageToVideoPipeline") index.refuse("_class_name", "image-to-video: " + std::string(text_only));
  if (pipeline.empty()) index.refuse("no _class_name: not a model folder in diffusers format");
  if (pipeline != "WanPipeline") index.refuse("_class_name", "this pipeline loads folders of WanPipeline");
  for (const char* component : {"image_encoder", "image_processor"})
    if (!component_class(index, component).empty())
      index.refuse(component, "image-to-video: " + std::string(text_only));
  if (!component_class(index, "transformer_2").empty())
    index.refuse("transformer_2", "a folder of two experts: " + std::string(text_only));
  if (!index.is_null_or_absent("boundary_ratio"))
    index.refuse("boundary_ratio", "a folder of two experts: " + std::string(text_only));
  index.require_unset("expand_timesteps", "that is Wan 2.2 TI2V; " + std::string(text_only));
  require_component(index, "scheduler", {"UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"});
  require_component(index, "text_encoder", {"UMT5EncoderModel"});
  require_component(index, "tokenizer",
                    {"T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"});
  require_component(index, "transformer", {"WanTransformer3DModel"});
  require_component(index, "vae", {"AutoencoderKLWan"});
}

/// Components must fit each other; each was checked by itself.
void check_fit(const ModelFolder& model) {
  const auto refuse = [&](const std::string& what) { throw Refused(model.path.string() + ": " + what); };
  if (model.transformer.text_dim != model.text_encoder.d_model)
    refuse("the transformer's text_dim is " + std::to_string(model.transformer.text_dim) +
           ", and the text encoder's d_model " + std::to_string(model.text_encoder.d_model));
  if (model.transformer.in_channels != model.vae.z_dim)
    refuse("the transformer's in_channels are " + std::to_string(model.transformer.in_channels) +
           ", and the VAE's z_dim " + std::to_string(model.vae.z_dim));
  if (model.vae.out_channels != 3)
    refuse("the VAE's out_channels are " + std::to_string(model.vae.out_channels) + ": a video has 3");
}

/// A download that ended after its first file is told from a folder of another kind.
void require_components(const path& folder) {
  std::string missing;
  for (const char* component : {"scheduler", "text_encoder", "tokenizer", "transformer", "vae"})
    if (!std::filesystem::exists(folder / component)) missing += (missing.empty() ? "" : ", ") + std::string(component);
  if (!missing.empty())
    throw Refused(folder.string() + ": model_index.json is there, and these folders are not: " + missing + "; " +
                  download_advice(folder));
}

}  // namespace

ComponentWeights find_component_weights(const path& folder, const std::string& stem, const std::string& variant) {
  ComponentWeights weights;
  weights.folder = folder;
  std::map<std::string, uint64_t> elements_of;
  WeightFiles found = find_weight_files(folder, stem, variant);
  weights.left_over = std::move(found.left_over);
  for (const SafetensorsHeader& header : found.headers) {
    weights.files.push_back(header.file);
    for (const auto& [name, entry] : header.tensors) {
      static constexpr std::array<std::string_view, 4> floating = {"F32", "BF16", "F16", "F64"};
      if (std::find(floating.begin(), floating.end(), entry.dtype) == floating.end())
        throw Refused(header.file.string() + ": tensor " + quote_name(name) + " is " + entry.dtype +
                      ": quantised weights are not read; use the folder in bfloat16 or float32");
      weights.elements += entry.elements;
      weights.bytes += entry.bytes();
      elements_of[entry.dtype] += entry.elements;
    }
  }
  const auto most = std::max_element(elements_of.begin(), elements_of.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == elements_of.end()) throw Refused(folder.string() + ": the weight files hold no tensor");
  weights.dtype = most->first;
  return weights;
}

ModelFolder open_model_folder(const path& folder) {
  if (std::error_code none; !std::filesystem::is_directory(folder, none))
    throw Refused(folder.string() +
                  ": no such folder. A model is a local folder in diffusers format: download it, for instance with "
                  "'hf download Wan-AI/Wan2.1-T2V-1.3B-Diffusers --local-dir FOLDER'");
  if (!is_there(folder / "model_index.json"))
    throw Refused(folder.string() + ": no model_index.json, so this is not a model folder in diffusers format");
  const JsonFile index(folder / "model_index.json");
  check_index(index);
  require_components(folder);

  ModelFolder model;
  model.path = folder;
  model.scheduler = read_scheduler_config(folder / "scheduler" / "scheduler_config.json");
  const bool unipc = component_class(index, "scheduler") == "UniPCMultistepScheduler";
  if (unipc != (model.scheduler.kind == SchedulerConfig::Kind::unipc))
    index.refuse("scheduler", "scheduler/scheduler_config.json is of another class");
  model.text_encoder = read_umt5_config(folder / "text_encoder" / "config.json");
  model.transformer = read_wan_transformer_config(folder / "transformer" / "config.json");
  model.vae = read_autoencoder_kl_wan_config(folder / "vae" / "config.json");
  check_fit(model);

  model.tokenizer = folder / "tokenizer";
  const std::string tokenizer = component_class(index, "tokenizer");
  model.tokenizer_is_t5 = tokenizer == "T5Tokenizer" || tokenizer == "T5TokenizerFast";
  if (!file_is_there(model.tokenizer / "tokenizer.json") && !file_is_there(model.tokenizer / "spiece.model"))
    throw Refused(model.tokenizer.string() + ": neither tokenizer.json nor spiece.model is there; " +
                  download_advice(folder));
  return model;
}

void find_weights(ModelFolder& model, const std::string& variant) {
  struct Component {
    const char* folder;
    const char* stem;
    ComponentWeights& weights;
  };
  const std::array<Component, 3> components{{{"text_encoder", "model", model.text_encoder_weights},
                                             {"transformer", "diffusion_pytorch_model", model.transformer_weights},
                                             {"vae", "diffusion_pytorch_model", model.vae_weights}}};
  bool any = variant.empty();
  for (const auto& [folder, stem, weights] : components) {
    const bool has = !variant.empty() && has_variant(model.path / folder, stem, variant);
    weights = find_component_weights(model.path / folder, stem, has ? variant : "");
    any |= has;
  }
  if (!any)
    throw Refused(model.path.string() + ": no component has weights of the variant '" + variant +
                  "'; leave --variant out, or download them: hf download OWNER/NAME --include '*." + variant + ".*'");
}

}  // namespace fastvideo
