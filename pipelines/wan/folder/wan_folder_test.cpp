#include "pipelines/wan/folder/wan_folder.hpp"

#include <nlohmann/json.hpp>
#include <ostream>

#include "pipelines/common/weights/test_files.hpp"

namespace fastvideo::wan {
namespace {

using nlohmann::json;
using test::refusal;
using test::TemporaryFolder;
using test::write_file;
using test::write_safetensors;

const json kIndexJson = {{"_class_name", "WanPipeline"},
                         {"_diffusers_version", "0.42.0"},
                         {"boundary_ratio", nullptr},
                         {"expand_timesteps", false},
                         {"scheduler", {"diffusers", "UniPCMultistepScheduler"}},
                         {"text_encoder", {"transformers", "UMT5EncoderModel"}},
                         {"tokenizer", {"transformers", "T5TokenizerFast"}},
                         {"transformer", {"diffusers", "WanTransformer3DModel"}},
                         {"transformer_2", {nullptr, nullptr}},
                         {"vae", {"diffusers", "AutoencoderKLWan"}}};
const json kSchedulerJson = {{"_class_name", "UniPCMultistepScheduler"},
                             {"prediction_type", "flow_prediction"},
                             {"use_flow_sigmas", true},
                             {"flow_shift", 3.0}};
const json kTextEncoderJson = {{"model_type", "umt5"}, {"d_model", 4096}, {"num_heads", 64}, {"d_ff", 10240}};
const json kTransformerJson = {{"_class_name", "WanTransformer3DModel"}, {"num_attention_heads", 12}};
const json kVaeJson = {{"_class_name", "AutoencoderKLWan"}};

std::string tensors(const std::string& dtype, size_t bytes, int64_t size) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":[)" + std::to_string(size) + R"(],"data_offsets":[0,)" +
         std::to_string(bytes) + "]}}";
}

/// A whole folder, of which a test changes one thing.
class Folder {
 public:
  Folder() {
    write("model_index.json", kIndexJson);
    write("scheduler/scheduler_config.json", kSchedulerJson);
    write("text_encoder/config.json", kTextEncoderJson);
    write("transformer/config.json", kTransformerJson);
    write("vae/config.json", kVaeJson);
    write_file(folder_ / "tokenizer/spiece.model", "not read here");
    write_safetensors(folder_ / "text_encoder/model.safetensors", tensors("BF16", 8, 4), "12345678");
    write_safetensors(folder_ / "transformer/diffusion_pytorch_model.safetensors", tensors("F32", 8, 2), "12345678");
    write_safetensors(folder_ / "vae/diffusion_pytorch_model.safetensors", tensors("F16", 2, 1), "12");
  }

  void write(const std::string& name, const json& content) const { write_file(folder_ / name, content.dump()); }
  /// Writes the file again with this key changed.
  void change(const std::string& name, const json& original, const std::string& key, const json& value) const {
    json changed = original;
    changed[key] = value;
    write(name, changed);
  }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

/// Opens the folder with its weights.
WanFolder open_whole(const std::filesystem::path& folder, const std::string& variant = "") {
  WanFolder model = open_wan_folder(folder);
  find_weights(model, variant);
  return model;
}

TEST(WanFolder, Opens) {
  const Folder folder;
  const WanFolder model = open_whole(folder.path());
  EXPECT_EQ(model.scheduler.kind, SchedulerConfig::Kind::unipc);
  EXPECT_EQ(model.scheduler.shift, 3.0);
  EXPECT_EQ(model.text_encoder.attention_dim(), 4096);
  EXPECT_EQ(model.transformer.inner_dim(), 1536);
  EXPECT_EQ(model.transformer.patch_volume(), 4);
  EXPECT_EQ(model.vae.temporal_stride(), 4);
  EXPECT_EQ(model.vae.spatial_stride(), 8);
  EXPECT_EQ(model.vae.decoder_channels(), (std::vector<int64_t>{384, 384, 384, 192, 96}));
  EXPECT_EQ(model.tokenizer, folder / "tokenizer");
  EXPECT_EQ(model.text_encoder_weights.elements, 4U);
  EXPECT_EQ(model.text_encoder_weights.bytes, 8U);
  EXPECT_EQ(model.text_encoder_weights.bytes_at(4), 16U);
  EXPECT_EQ(model.text_encoder_weights.dtype, "BF16");
  EXPECT_EQ(model.transformer_weights.dtype, "F32");
  EXPECT_EQ(model.vae_weights.folder, folder / "vae");
}

TEST(WanFolder, TakesTheOtherSchedulerAndTokenizer) {
  const Folder folder;
  folder.change("model_index.json", kIndexJson, "scheduler", {"diffusers", "FlowMatchEulerDiscreteScheduler"});
  folder.write("scheduler/scheduler_config.json",
               {{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"shift", 5.0}, {"shift_terminal", 0.1}});
  std::filesystem::rename(folder / "tokenizer/spiece.model", folder / "tokenizer/tokenizer.json");
  const WanFolder model = open_whole(folder.path());
  EXPECT_EQ(model.scheduler.kind, SchedulerConfig::Kind::flow_match_euler);
  EXPECT_EQ(model.scheduler.shift, 5.0);
  EXPECT_EQ(model.scheduler.shift_terminal, 0.1);
}

struct Change {
  std::string file;
  json original;
  std::string key;
  json value;
  std::string message;
};

std::ostream& operator<<(std::ostream& out, const Change& change) { return out << change.file << ' ' << change.key; }

class ChangedFolder : public testing::TestWithParam<Change> {};

TEST_P(ChangedFolder, IsRefusedNamingFileKeyAndReason) {
  const Folder folder;
  folder.change(GetParam().file, GetParam().original, GetParam().key, GetParam().value);
  const std::string message = refusal([&] { open_whole(folder.path()); });
  EXPECT_CONTAINS(message, folder.path().string());
  EXPECT_CONTAINS(message, GetParam().message);
}

Change index(const std::string& key, const json& value, const std::string& message) {
  return {"model_index.json", kIndexJson, key, value, message};
}
Change scheduler(const std::string& key, const json& value, const std::string& message) {
  return {"scheduler/scheduler_config.json", kSchedulerJson, key, value, message};
}
Change text(const std::string& key, const json& value, const std::string& message) {
  return {"text_encoder/config.json", kTextEncoderJson, key, value, message};
}
Change transformer(const std::string& key, const json& value, const std::string& message) {
  return {"transformer/config.json", kTransformerJson, key, value, message};
}
Change vae(const std::string& key, const json& value, const std::string& message) {
  return {"vae/config.json", kVaeJson, key, value, message};
}

INSTANTIATE_TEST_SUITE_P(
    Index, ChangedFolder,
    testing::Values(
        index("_class_name", "WanImageToVideoPipeline", "_class_name is \"WanImageToVideoPipeline\": image-to-video"),
        index("_class_name", "FluxPipeline", "_class_name is \"FluxPipeline\": this pipeline loads"),
        index("_class_name", 3, "_class_name is 3: it must be a text"),
        index("image_encoder", {"transformers", "CLIPVisionModel"}, "image_encoder is [\"transformers\""),
        index("transformer_2", {"diffusers", "WanTransformer3DModel"}, "a folder of two experts"),
        index("boundary_ratio", 0.875, "boundary_ratio is 0.875: a folder of two experts"),
        index("expand_timesteps", true, "expand_timesteps is true: that is Wan 2.2 TI2V"),
        index("scheduler", {"diffusers", "DDIMScheduler"}, "it must be UniPCMultistepScheduler or FlowMatch"),
        index("scheduler", {"diffusers", "FlowMatchEulerDiscreteScheduler"}, "of another class"),
        index("text_encoder", {"transformers", "T5EncoderModel"}, "it must be UMT5EncoderModel"),
        index("tokenizer", {"transformers", "LlamaTokenizer"}, "tokenizer is [\"transformers\",\"LlamaTokenizer\"]"),
        index("vae", {"diffusers", "AutoencoderKL"}, "it must be AutoencoderKLWan"),
        index("vae", {nullptr, nullptr}, "vae is missing: it must be AutoencoderKLWan"),
        index("vae", "AutoencoderKLWan", "it must be [library, class]"),
        index("transformer", {"diffusers", "WanVACETransformer3DModel"}, "it must be WanTransformer3DModel")));

INSTANTIATE_TEST_SUITE_P(
    Scheduler, ChangedFolder,
    testing::Values(scheduler("_class_name", "EulerDiscreteScheduler", "_class_name is \"EulerDiscreteScheduler\""),
                    scheduler("prediction_type", "epsilon",
                              "prediction_type is \"epsilon\": the solver is that of flow prediction"),
                    scheduler("use_flow_sigmas", false, "only flow sigmas"),
                    scheduler("use_karras_sigmas", true, "use_karras_sigmas is true"),
                    scheduler("use_dynamic_shifting", true, "use_dynamic_shifting is true"),
                    scheduler("thresholding", true, "thresholding is true"),
                    scheduler("predict_x0", false, "predict_x0 is false"),
                    scheduler("solver_order", 4, "solver_order is 4: it must be a whole number from 1 to 3"),
                    scheduler("solver_type", "dpm", "solver_type is \"dpm\""),
                    scheduler("final_sigmas_type", "one", "final_sigmas_type is \"one\""),
                    scheduler("flow_shift", 0, "flow_shift is 0: it must be above 0"),
                    scheduler("flow_shift", "3", "flow_shift is \"3\": it must be a number"),
                    scheduler("disable_corrector", {-1}, "disable_corrector is [-1]"),
                    scheduler("shift_terminal", 1.0, "shift_terminal is 1.0"),
                    scheduler("num_train_timesteps", 0, "num_train_timesteps is 0")));

INSTANTIATE_TEST_SUITE_P(
    TextEncoder, ChangedFolder,
    testing::Values(text("model_type", "t5", "model_type is \"t5\""),
                    text("hidden_size", 64, "hidden_size is 64: d_model is 4096, and both say the same thing"),
                    text("num_attention_heads", 8, "num_attention_heads is 8: num_heads is 64"),
                    text("feed_forward_proj", "relu", "feed_forward_proj is \"relu\": only gated-gelu"),
                    text("dense_act_fn", "gelu", "dense_act_fn is \"gelu\""),
                    text("is_gated_act", false, "is_gated_act is false"),
                    text("quantization_config", {{"quant_method", "bitsandbytes"}}, "quantised weights are not read"),
                    text("d_model", 64, "text_dim is 4096, and the text encoder's d_model 64"),
                    text("num_layers", 0, "num_layers is 0"), text("num_layers", 2.5, "num_layers is 2.5"),
                    text("num_layers", uint64_t{1} << 63, "num_layers is 9223372036854775808"),
                    text("vocab_size", nullptr, "vocab_size is null"),
                    text("relative_attention_num_buckets", 2, "relative_attention_num_buckets is 2"),
                    text("relative_attention_max_distance", 8, "above a quarter of relative_attention_num_buckets, 32"),
                    text("layer_norm_epsilon", 0.0, "layer_norm_epsilon is 0.0")));

INSTANTIATE_TEST_SUITE_P(
    Transformer, ChangedFolder,
    testing::Values(transformer("_class_name", "HunyuanVideoTransformer3DModel", "only WanTransformer3DModel"),
                    transformer("image_dim", 1280, "image_dim is 1280: that is an image-to-video model"),
                    transformer("added_kv_proj_dim", 5120, "added_kv_proj_dim is 5120"),
                    transformer("pos_embed_seq_len", 514, "pos_embed_seq_len is 514"),
                    transformer("in_channels", 36, "in_channels is 36: there are 16 out_channels"),
                    transformer("qk_norm", "layer_norm", "qk_norm is \"layer_norm\""),
                    transformer("patch_size", {2, 2}, "patch_size is [2,2]"),
                    transformer("patch_size", {1, 0, 2}, "patch_size is [1,0,2]"),
                    transformer("attention_head_dim", 127, "attention_head_dim is 127"),
                    transformer("freq_dim", 255, "freq_dim is 255"),
                    transformer("cross_attn_norm", 1, "cross_attn_norm is 1: it must be true or false"),
                    transformer("eps", -1e-6, "eps is -1e-06"),
                    transformer("num_layers", "\x1b[31m", "num_layers is \"\\u001b[31m\""),
                    transformer("quantization_config", json::object(), "quantization_config is {}")));

INSTANTIATE_TEST_SUITE_P(
    Vae, ChangedFolder,
    testing::Values(vae("_class_name", "AutoencoderKLHunyuanVideo", "only AutoencoderKLWan is decoded"),
                    vae("is_residual", true, "is_residual is true: that is the VAE of Wan 2.2"),
                    vae("patch_size", 2, "patch_size is 2: that is the VAE of Wan 2.2"),
                    vae("z_dim", 8, "latents_mean is absent, and the default has 16"),
                    vae("latents_std", {1.0}, "latents_std is [1.0]: there must be one for each of z_dim = 16"),
                    vae("latents_std", std::vector<double>(16, 0.0), "latents_std is [0.0"),
                    vae("dim_mult", json::array(), "dim_mult is []"),
                    vae("dim_mult", {1, 2}, "temperal_downsample must have one value fewer than dim_mult, 1"),
                    vae("temperal_downsample", {true, true, true}, "scale_factor_temporal is 4 by default"),
                    vae("scale_factor_spatial", 16, "scale_factor_spatial is 16, and the layers"),
                    vae("out_channels", 12, "the VAE's out_channels are 12: a video has 3"),
                    vae("base_dim", true, "base_dim is true")));

TEST(WanFolder, AKeyWithoutADefaultIsSimplyAbsent) {
  const Folder folder;
  json config = kSchedulerJson;
  config.erase("_class_name");
  write_file(folder / "scheduler/scheduler_config.json", config.dump());
  EXPECT_CONTAINS(refusal([&] { open_whole(folder.path()); }), "_class_name is absent: the schedulers here are UniPC");
}

TEST(WanFolder, SaysWhatIsMissing) {
  for (const auto& [file, message] : std::vector<std::pair<std::string, std::string>>{
           {"model_index.json", "no model_index.json"},
           {"scheduler/scheduler_config.json", "scheduler_config.json: no such file"},
           {"text_encoder/config.json", "config.json: no such file"},
           {"transformer", "model_index.json is there, and these folders are not: transformer; the download"},
           {"tokenizer/spiece.model", "neither tokenizer.json nor spiece.model"},
           {"vae/diffusion_pytorch_model.safetensors", "no weights: diffusion_pytorch_model.safetensors"}}) {
    const Folder folder;
    std::filesystem::remove_all(folder / file);
    EXPECT_CONTAINS(refusal([&] { open_whole(folder.path()); }), message);
  }
  EXPECT_CONTAINS(refusal([] { open_wan_folder("Wan-AI/Wan2.1-T2V-1.3B-Diffusers"); }), "download it");
}

TEST(WanFolder, ReadsAVariantWhereThereIsOne) {
  const Folder folder;
  const auto rename = [&](const std::string& from, const std::string& to) {
    std::filesystem::rename(folder / from, folder / to);
  };
  EXPECT_CONTAINS(refusal([&] { open_whole(folder.path(), "fp16"); }), "variant 'fp16': no component of ");
  rename("text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors");
  EXPECT_CONTAINS(refusal([&] { open_whole(folder.path()); }), "read that variant with --variant fp16");
  rename("transformer/diffusion_pytorch_model.safetensors",
         "transformer/diffusion_pytorch_model.fp16-00001-of-00001.safetensors");
  folder.write("transformer/diffusion_pytorch_model.safetensors.index.fp16.json",
               {{"weight_map", {{"w", "diffusion_pytorch_model.fp16-00001-of-00001.safetensors"}}}});
  const WanFolder model = open_whole(folder.path(), "fp16");
  EXPECT_EQ(model.text_encoder_weights.files, std::vector{folder / "text_encoder/model.fp16.safetensors"});
  EXPECT_EQ(model.transformer_weights.files.front().filename(),
            "diffusion_pytorch_model.fp16-00001-of-00001.safetensors");
  EXPECT_EQ(model.vae_weights.files, std::vector{folder / "vae/diffusion_pytorch_model.safetensors"});
  EXPECT_TRUE(model.transformer_weights.left_over.empty());
}

TEST(WanFolder, AnUnfinishedDownloadIsToldFromAnotherKindOfFolder) {
  const test::TemporaryFolder cache;
  const auto snapshot = cache / "models--Wan-AI--Wan2.1/snapshots/aaa";
  write_file(snapshot / "model_index.json", kIndexJson.dump());
  const std::string said = refusal([&] { open_wan_folder(snapshot); });
  EXPECT_CONTAINS(said, "these folders are not: scheduler, text_encoder, tokenizer, transformer, vae");
  EXPECT_CONTAINS(said, "hf download Wan-AI/Wan2.1");
}

TEST(WanFolder, RefusesPickledAndQuantisedWeights) {
  const Folder folder;
  const auto file = folder / "transformer/diffusion_pytorch_model.safetensors";
  for (const char* dtype : {"F8_E4M3", "I8", "U8"}) {
    write_safetensors(file, tensors(dtype, 4, 4), "1234");
    EXPECT_CONTAINS(refusal([&] { open_whole(folder.path()); }),
                    "tensor 'w' is " + std::string(dtype) + ": quantised weights are not read");
  }
  for (const char* dtype : {"I32", "U32"}) {
    write_safetensors(file, tensors(dtype, 4, 1), "1234");
    EXPECT_CONTAINS(refusal([&] { open_whole(folder.path()); }),
                    "tensor 'w' is " + std::string(dtype) + ": weights are F32, BF16, F16 or F64; it is none of this");
  }
  std::filesystem::rename(file, folder / "transformer/diffusion_pytorch_model.bin");
  EXPECT_CONTAINS(refusal([&] { open_whole(folder.path()); }), "only pickled weights (diffusion_pytorch_model.bin)");
}

TEST(WanFolder, RefusesWhatIsNotJson) {
  const Folder folder;
  const auto message = [&](const std::string& content) {
    write_file(folder / "vae/config.json", content);
    return refusal([&] { open_whole(folder.path()); });
  };
  EXPECT_CONTAINS(message(""), "vae/config.json:1:1: is not JSON");
  EXPECT_CONTAINS(message("{"), "vae/config.json:1:2: is not JSON");
  EXPECT_CONTAINS(message("[]"), "vae/config.json: not ");
  // The bytes after it would be ignored.
  EXPECT_CONTAINS(message(std::string("{}\0nonsense", 11)), "vae/config.json:1:3: is not JSON: the character NUL");
  EXPECT_CONTAINS(message(std::string(80, '[') + std::string(80, ']')),
                  "vae/config.json:1:65: nested more than 64 deep");
}

TEST(WanFolder, LinksThatLeadNowhereAreNamed) {
  for (const char* component : {"scheduler", "text_encoder", "tokenizer", "transformer", "vae"}) {
    const Folder folder;
    const auto link = folder.path() / component;
    const auto with_link_to = [&](const char* target) {
      std::filesystem::remove_all(link);
      std::filesystem::create_symlink(target, link);
      return refusal([&] { open_whole(folder.path()); });
    };
    EXPECT_CONTAINS(with_link_to(component), link.string() + ": is a link that leads back to itself");
    EXPECT_CONTAINS(with_link_to("../gone"), link.string() + ": is a link to ../gone, that is ");
  }
  const Folder folder;
  std::filesystem::remove(folder.path() / "vae/config.json");
  std::filesystem::create_symlink("config.json", folder.path() / "vae/config.json");
  EXPECT_CONTAINS(refusal([&] { open_whole(folder.path()); }), "vae/config.json: is a link that leads back to itself");
}

TEST(WanFolder, NumbersThatNoDoubleHoldsAreNamedWithTheirPlace) {
  const Folder folder;
  const auto message = [&](const std::string& text) {
    write_file(folder.path() / "vae/config.json", text);
    return refusal([&] { open_whole(folder.path()); });
  };
  EXPECT_CONTAINS(message("{\"a\": \"1e999\",\n \"z_dim\": -1e400}"),
                  "vae/config.json:2:12: the number 1e400 is larger than a double holds (1.8e308)");
  EXPECT_CONTAINS(message(R"({"z_dim": 1e-400})"), "z_dim is 0.0: it must be a whole number");
  EXPECT_CONTAINS(message(R"({"z_dim": 12345678901234567890123})"), "it must be a whole number from 1 to 4096");
}

TEST(WanFolder, OfTwoValuesOfOneKeyTheLaterCountsAsInPython) {
  const Folder folder;
  write_file(folder.path() / "transformer/config.json",
             R"({"_class_name": "WanTransformer3DModel", "num_layers": 7, "ffn_dim": 5, "num_layers": 9,
                 "num_attention_heads": 12})");
  const WanFolder model = open_whole(folder.path());
  EXPECT_EQ(model.transformer.num_layers, 9);
}

}  // namespace
}  // namespace fastvideo::wan
