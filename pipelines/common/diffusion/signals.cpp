#include "pipelines/common/diffusion/signals.hpp"

#include <ATen/ATen.h>

namespace fastvideo {

void publish(SignalObserver* observer, std::string_view signal, const at::Tensor& value) {
  if (observer != nullptr && observer->wants(signal)) observer->observe(signal, value);
}

void publish_difference(SignalObserver* observer, std::string_view signal, const at::Tensor& a, const at::Tensor& b) {
  if (observer != nullptr && observer->wants(signal)) observer->observe(signal, a - b);
}

BlockSignals::BlockSignals(int64_t block) {
  const std::string prefix = "block." + std::to_string(block) + ".";
  modulated = prefix + "modulated";
  out = prefix + "out";
  residual = prefix + "residual";
}

std::vector<std::string> signal_names(int64_t blocks) {
  std::vector<std::string> names = {"latent.in", "model.out", "time.embed", "time.proj", "blocks.residual"};
  for (int64_t i = 0; i < blocks; ++i) {
    const BlockSignals block(i);
    names.insert(names.end(), {block.modulated, block.out, block.residual});
  }
  return names;
}

}  // namespace fastvideo
