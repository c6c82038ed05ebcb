#include "pipelines/common/residency/loading.hpp"

#include <cstdint>

namespace fastvideo {

LoadWatch begin_loading(const Progress& progress, const char* stage, const ComponentWeights& weights) {
  const auto steps_of = [](uint64_t bytes) { return static_cast<int64_t>((bytes + kLoadPart - 1) / kLoadPart); };
  progress.stage(stage, steps_of(weights.bytes));
  return [&progress, steps_of](uint64_t done, uint64_t all) {
    progress.step(done == all ? steps_of(all) : static_cast<int64_t>(done / kLoadPart));
  };
}

}  // namespace fastvideo
