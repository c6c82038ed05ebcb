// Decodes latents for vae_parity.py and vae_benchmark.py: wan_vae_driver VAE_FOLDER DTYPE DEVICE ROUNDS IN OUT.
// IN: "latents". OUT: "samples" float32 [F, H, W, 3], "frames" (8-bit values as int64), "seconds" of each round.
#include <ATen/ATen.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/common/testing/plain_attention.hpp"
#include "pipelines/common/testing/tensor_file.hpp"
#include "pipelines/wan/vae/decoder.hpp"

int main(int, char** argv) try {
  using Clock = std::chrono::steady_clock;
  const std::filesystem::path folder = argv[1];
  const at::ScalarType dtype = std::string(argv[2]) == "bfloat16" ? at::kBFloat16 : at::kFloat;
  const at::Device device{std::string(argv[3])};  // "cuda" with libtorch_cuda.so preloaded
  const int rounds = std::stoi(argv[4]);
  const at::Tensor latents = fastvideo::testing::read_tensors(argv[5]).at("latents");

  fastvideo::testing::PlainAttention attention;
  auto weights = fastvideo::Weights::open(folder);
  const auto config = fastvideo::wan::read_autoencoder_kl_wan_config(folder / "config.json");
  fastvideo::wan::AutoencoderKLWanDecoder decoder(config, weights, dtype, device, attention);

  std::vector<at::Tensor> samples, frames;
  std::vector<double> seconds;
  for (int round = 0; round < rounds; ++round) {
    frames.clear();
    const auto start = Clock::now();
    decoder.decode(latents, [&](const at::Tensor& part) { frames.push_back(part); });
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  decoder.decode_samples(latents, [&](const at::Tensor& part) { samples.push_back(part); });
  fastvideo::testing::write_tensors(argv[6], {{"samples", at::cat(samples).to(at::kFloat)},
                                              {"frames", at::cat(frames).to(at::kLong)},
                                              {"seconds", at::tensor(seconds).to(at::kFloat)}});
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
