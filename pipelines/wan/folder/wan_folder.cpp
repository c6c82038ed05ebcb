#include "pipelines/wan/folder/wan_folder.hpp"

#include <array>
#include <fastvideo/core.hpp>

#include "pipelines/common/diffusers_folder/diffusers_folder.hpp"
#include "pipelines/common/weights/linked_file.hpp"

namespace fastvideo::wan {
namespace {

constexpr const char* kTextOnly = "this pipeline makes videos from text alone, with one transformer";

void check_index(const DiffusersFolder& folder) {
  const JsonFile& index = folder.index();
  const std::string pipeline = folder.pipeline_class();
  if (pipeline == "WanImageToVideoPipeline") index.refuse("_class_name", "image-to-video: " + std::string(kTextOnly));
  if (pipeline != "WanPipeline") index.refuse("_class_name", "this pipeline loads folders of WanPipeline");
  for (const char* component : {"image_encoder", "image_processor"})
    if (!folder.component_class(component).empty())
      index.refuse(component, "image-to-video: " + std::string(kTextOnly));
  if (!folder.component_class("transformer_2").empty())
    index.refuse("transformer_2", "a folder of two experts: " + std::string(kTextOnly));
  if (!index.is_null_or_absent("boundary_ratio"))
    index.refuse("boundary_ratio", "a folder of two experts: " + std::string(kTextOnly));
  index.require_unset("expand_timesteps", "that is Wan 2.2 TI2V; " + std::string(kTextOnly));
  folder.require_class("scheduler", {"UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"});
  folder.require_class("text_encoder", {"UMT5EncoderModel"});
  folder.require_class("tokenizer", {"T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"});
  folder.require_class("transformer", {"WanTransformer3DModel"});
  folder.require_class("vae", {"AutoencoderKLWan"});
}

/// Components must fit each other; each was checked by itself.
void check_fit(const WanFolder& model) {
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

}  // namespace

WanFolder open_wan_folder(const std::filesystem::path& path) {
  const DiffusersFolder folder(path);
  check_index(folder);
  folder.require_folders({"scheduler", "text_encoder", "tokenizer", "transformer", "vae"});

  WanFolder model;
  model.path = path;
  model.scheduler = read_scheduler_config(path / "scheduler" / "scheduler_config.json");
  const bool unipc = folder.component_class("scheduler") == "UniPCMultistepScheduler";
  if (unipc != (model.scheduler.kind == SchedulerConfig::Kind::unipc))
    folder.index().refuse("scheduler", "scheduler/scheduler_config.json is of another class");
  model.text_encoder = read_umt5_config(path / "text_encoder" / "config.json");
  model.transformer = read_wan_transformer_config(path / "transformer" / "config.json");
  model.vae = read_autoencoder_kl_wan_config(path / "vae" / "config.json");
  check_fit(model);

  model.tokenizer = path / "tokenizer";
  const std::string tokenizer = folder.component_class("tokenizer");
  model.tokenizer_is_t5 = tokenizer == "T5Tokenizer" || tokenizer == "T5TokenizerFast";
  if (!file_is_there(model.tokenizer / "tokenizer.json") && !file_is_there(model.tokenizer / "spiece.model"))
    throw Refused(model.tokenizer.string() + ": neither tokenizer.json nor spiece.model is there; " +
                  download_advice(path));
  return model;
}

void find_weights(WanFolder& model, const std::string& variant) {
  const std::array<WantedWeights, 3> components{
      {{"text_encoder", "model", model.text_encoder_weights},
       {"transformer", "diffusion_pytorch_model", model.transformer_weights},
       {"vae", "diffusion_pytorch_model", model.vae_weights, {"encoder.", "quant_conv."}}}};
  fastvideo::find_weights(model.path, components, variant);
}

}  // namespace fastvideo::wan
