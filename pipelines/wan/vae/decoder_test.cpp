// The decoder's guarantees other than its numbers: memory, order, cancellation, refusals. Parity is in vae_parity.py.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <new>
#include <string>

#include "fastvideo/core.hpp"
#include "pipelines/common/testing/counted_memory.hpp"
#include "pipelines/common/testing/plain_attention.hpp"
#include "pipelines/common/testing/tensor_file.hpp"
#include "pipelines/common/video_vae/with_onednn.hpp"
#include "pipelines/wan/vae/decoder.hpp"
#include "pipelines/wan/vae/memory.hpp"

namespace fastvideo::wan {
namespace {

using testing::CountedMemory;
using testing::PlainAttention;
using testing::TensorMap;

AutoencoderKLWanConfig small_config() {
  AutoencoderKLWanConfig config;
  config.base_dim = config.decoder_base_dim = 8;
  config.z_dim = 4;
  config.num_res_blocks = 1;
  config.latents_mean = {0.1, -0.2, 0.3, 0.0};
  config.latents_std = {1.0, 2.0, 0.5, 1.5};
  return config;
}

// All weights of a decoder, random; names and shapes as diffusers has them.
TensorMap random_weights(const AutoencoderKLWanConfig& config) {
  at::manual_seed(0);
  TensorMap weights;
  const auto convolution = [&](const std::string& name, std::vector<int64_t> shape) {
    int64_t fan_in = 1;
    for (size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
    weights[name + ".weight"] = at::randn(shape) / std::sqrt(static_cast<double>(fan_in));
    weights[name + ".bias"] = at::randn({shape[0]}) * 0.1;
  };
  const auto resnet = [&](const std::string& name, int64_t in, int64_t out) {
    weights[name + ".norm1.gamma"] = at::ones({in, 1, 1, 1});
    weights[name + ".norm2.gamma"] = at::ones({out, 1, 1, 1});
    convolution(name + ".conv1", {out, in, 3, 3, 3});
    convolution(name + ".conv2", {out, out, 3, 3, 3});
    if (in != out) convolution(name + ".conv_shortcut", {out, in, 1, 1, 1});
  };
  const std::vector<int64_t> channels = config.decoder_channels();
  const int64_t z = config.z_dim, widest = channels[0];
  convolution("post_quant_conv", {z, z, 1, 1, 1});
  convolution("decoder.conv_in", {widest, z, 3, 3, 3});
  for (const char* i : {"0", "1"}) resnet(std::string("decoder.mid_block.resnets.") + i, widest, widest);
  weights["decoder.mid_block.attentions.0.norm.gamma"] = at::ones({widest, 1, 1});
  convolution("decoder.mid_block.attentions.0.to_qkv", {3 * widest, widest, 1, 1});
  convolution("decoder.mid_block.attentions.0.proj", {widest, widest, 1, 1});
  for (size_t i = 0; i + 1 < channels.size(); ++i) {
    const std::string block = "decoder.up_blocks." + std::to_string(i);
    const int64_t out = channels[i + 1];
    for (int64_t r = 0; r <= config.num_res_blocks; ++r)
      resnet(block + ".resnets." + std::to_string(r), r > 0 ? out : i > 0 ? channels[i] / 2 : widest, out);
    if (i + 2 == channels.size()) continue;
    convolution(block + ".upsamplers.0.resample.1", {out / 2, out, 3, 3});
    if (config.temperal_downsample.rbegin()[static_cast<int64_t>(i)])
      convolution(block + ".upsamplers.0.time_conv", {2 * out, out, 3, 1, 1});
  }
  weights["decoder.norm_out.gamma"] = at::ones({channels.back(), 1, 1, 1});
  convolution("decoder.conv_out", {config.out_channels, channels.back(), 3, 3, 3});
  weights["encoder.conv_in.bias"] = at::zeros({1});  // as in a real file: weights that decoding does not need
  weights["quant_conv.bias"] = at::zeros({1});
  return weights;
}

class WeightFile {
 public:
  explicit WeightFile(const TensorMap& weights)
      : path_(std::filesystem::temp_directory_path() /
              ("fastvideo_vae_" + std::to_string(::getpid()) + ".safetensors")) {
    testing::write_tensors(path_, weights);
  }
  ~WeightFile() { std::filesystem::remove(path_); }
  WeightFile(const WeightFile&) = delete;
  WeightFile& operator=(const WeightFile&) = delete;
  Weights open() const { return Weights::open(path_); }

 private:
  std::filesystem::path path_;
};

AutoencoderKLWanDecoder make_decoder(const AutoencoderKLWanConfig& config, Attention& attention,
                                     at::ScalarType dtype = at::kFloat) {
  at::set_num_threads(1);  // too little work for two threads
  const WeightFile file(random_weights(config));
  Weights weights = file.open();
  return {config, weights, dtype, at::kCPU, attention};
}

/// Attention that allocates only its result, as the estimate supposes.
class LeanAttention final : public Attention {
 public:
  at::Tensor run(const AttentionCall& call) override { return call.v.contiguous(); }
};

size_t peak_of(AutoencoderKLWanDecoder& decoder, const at::Tensor& latents) {
  decoder.decode(latents, [](const at::Tensor&) {});  // the first clip of a size packs the weights
  CountedMemory memory;
  decoder.decode(latents, [](const at::Tensor&) {});
  EXPECT_EQ(memory.live(), 0) << "the decoder keeps memory of a clip that is done";
  return memory.peak();
}

TEST(Decoder, MemoryDoesNotGrowWithTheClip) {
  PlainAttention attention;
  AutoencoderKLWanDecoder decoder = make_decoder(small_config(), attention);
  const size_t short_clip = peak_of(decoder, at::randn({1, 4, 3, 6, 8}));  // 9 frames
  const size_t long_clip = peak_of(decoder, at::randn({1, 4, 13, 6, 8}));  // 49 frames
  EXPECT_GT(short_clip, 0);
  EXPECT_LE(static_cast<double>(long_clip), 1.05 * static_cast<double>(short_clip));
}

TEST(Decoder, MemoryIsWhatTheEstimateSays) {
  struct Case {
    std::vector<int64_t> dim_mult;
    std::vector<bool> in_time;
    int64_t num_res_blocks;
    at::ScalarType dtype;
    bool onednn = true;
  };
  for (const Case& c :
       {Case{{1, 2, 4, 4}, {false, true, true}, 1, at::kFloat},
        Case{{1, 2, 4, 4}, {false, true, true}, 2, at::kBFloat16},
        Case{{1, 2, 4, 4}, {true, true, true}, 2, at::kFloat}, Case{{2, 2, 1}, {false, false}, 3, at::kFloat},
        Case{{1, 4}, {true}, 1, at::kFloat}, Case{{1, 2, 2}, {false, true}, 1, at::kFloat, false},
        Case{{1, 4}, {true}, 1, at::kBFloat16, false}}) {
    const WithOneDnn with(c.onednn);
    AutoencoderKLWanConfig config = small_config();
    config.decoder_base_dim = 16;
    config.dim_mult = c.dim_mult;
    config.temperal_downsample = c.in_time;
    config.num_res_blocks = c.num_res_blocks;
    LeanAttention attention;
    AutoencoderKLWanDecoder decoder = make_decoder(config, attention, c.dtype);
    const auto measured = static_cast<double>(peak_of(decoder, at::randn({1, 4, 3, 9, 7})));
    const auto estimate = static_cast<double>(decode_peak_bytes(config, 9, 7, c.dtype, at::kCPU));
    EXPECT_NEAR(measured / estimate, 1.0, 0.05) << c.dim_mult << " " << c.dtype << " oneDNN: " << c.onednn;
  }
}

TEST(Decoder, FramesArriveAsTheyAreDecoded) {
  PlainAttention attention;
  AutoencoderKLWanDecoder decoder = make_decoder(small_config(), attention);
  std::vector<std::string> events;
  decoder.decode(
      at::randn({1, 4, 3, 2, 3}),
      [&](const at::Tensor& frames) {
        EXPECT_EQ(frames.scalar_type(), at::kByte);
        EXPECT_TRUE(frames.is_contiguous());
        EXPECT_EQ(frames.sizes().slice(1), (std::vector<int64_t>{16, 24, 3}));
        events.push_back("frames " + std::to_string(frames.size(0)));
      },
      [&](int64_t done, int64_t total) {
        events.push_back("done " + std::to_string(done) + " of " + std::to_string(total));
      });
  EXPECT_EQ(events, (std::vector<std::string>{"done 0 of 3", "frames 1", "done 1 of 3", "frames 4", "done 2 of 3",
                                              "frames 4", "done 3 of 3"}));
  EXPECT_EQ(attention.calls().at("vae.mid"), (std::vector<int64_t>{0, 0, 0}));
}

TEST(Decoder, AClipLeavesNothingToTheNextOneEvenIfCancelled) {
  PlainAttention attention;
  AutoencoderKLWanDecoder decoder = make_decoder(small_config(), attention);
  const at::Tensor latents = at::randn({1, 4, 2, 3, 2});
  const auto decoded = [&] {
    std::vector<at::Tensor> frames;
    decoder.decode(latents, [&](const at::Tensor& part) { frames.push_back(part); });
    return at::cat(frames);
  };
  const at::Tensor first = decoded();
  const auto cancel = [](int64_t done, int64_t) {
    if (done == 1) throw Cancelled();
  };
  EXPECT_THROW(decoder.decode(
                   at::randn({1, 4, 3, 5, 4}), [](const at::Tensor&) {}, cancel),
               Cancelled);
  EXPECT_TRUE(at::equal(decoded(), first));
}

TEST(Decoder, LatentsAreTakenAsTheyCome) {
  PlainAttention attention;
  AutoencoderKLWanDecoder decoder = make_decoder(small_config(), attention);
  // One pixel: then the latent's layout is the decoder's own, and nothing must be written to it.
  const at::Tensor latents = at::randn({1, 4, 1, 1, 1}), copy = latents.clone();
  at::Tensor plain, strided;
  decoder.decode(latents, [&](const at::Tensor& frames) { plain = frames; });
  EXPECT_TRUE(at::equal(latents, copy));
  decoder.decode(latents.repeat({1, 1, 2, 1, 1}).narrow(2, 1, 1).to(at::kDouble),
                 [&](const at::Tensor& frames) { strided = frames; });
  EXPECT_TRUE(at::equal(plain, strided));
}

TEST(Decoder, RefusesWhatItCannotDo) {
  PlainAttention attention;
  AutoencoderKLWanDecoder decoder = make_decoder(small_config(), attention);
  const auto ignore = [](const at::Tensor&) {};
  EXPECT_THROW(decoder.decode(at::randn({1, 5, 2, 3, 2}), ignore), std::invalid_argument);
  EXPECT_THROW(decoder.decode(at::randn({2, 4, 2, 3, 2}), ignore), std::invalid_argument);
  EXPECT_THROW(decoder.decode(at::randn({4, 2, 3, 2}), ignore), std::invalid_argument);
  EXPECT_THROW(decoder.decode(at::randn({1, 4, 0, 3, 2}), ignore), std::invalid_argument);

  EXPECT_THROW(make_decoder(small_config(), attention, at::kHalf), Refused);
  AutoencoderKLWanConfig config = small_config();
  config.out_channels = 12;
  EXPECT_THROW(make_decoder(config, attention), Refused);

  TensorMap surplus = random_weights(small_config());
  surplus["decoder.up_blocks.0.avg_shortcut.weight"] = at::zeros({1});
  const WeightFile file(surplus);
  Weights weights = file.open();
  EXPECT_THROW(AutoencoderKLWanDecoder(small_config(), weights, at::kFloat, at::kCPU, attention), Refused);
}

}  // namespace
}  // namespace fastvideo::wan
