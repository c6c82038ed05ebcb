#include "pipelines/common/diffusion/signals.hpp"

namespace fastvideo {

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
