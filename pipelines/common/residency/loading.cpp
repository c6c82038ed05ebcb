#include "pipelines/common/residency/loading.hpp"

namespace fastvideo {

LoadWatch begin_loading(const Progress& progress, const char* stage) {
  progress.stage(stage);
  return [&progress](uint64_t done, uint64_t all) { progress.loaded(done, all); };
}

}  // namespace fastvideo
