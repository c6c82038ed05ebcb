#include "plugins/attention/common/hopper/dense/dense.hpp"

namespace fastvideo::dense {
namespace {

int64_t parts(int64_t of, int64_t size) { return (of + size - 1) / size; }

// Whether a cluster adds few empty tiles to those of a head. Measured: where one of 14 is empty a pair loses 4 %;
// sharing loads gains 1 to 5 % over long sequences.
constexpr int64_t kTilesOfAnEmptyOne = 32;
bool fills_clusters(const Kernel& kernel, int64_t queries) {
  const int64_t tiles = parts(queries, kernel.rows);
  return tiles % kernel.cluster == 0 || tiles >= kTilesOfAnEmptyOne;
}

// Key blocks of a tile: the first counts by the width of the narrowest kernel that holds its keys.
double key_blocks(const Kernel& kernel, int64_t keys) {
  const int64_t count = parts(keys, kernel.key_width), rest = keys - (count - 1) * kernel.key_width;
  if (count > 1)
    for (const int width : kernel.first_widths)
      if (rest <= width) return static_cast<double>(count - 1) + static_cast<double>(width) / kernel.key_width;
  return static_cast<double>(count);
}

// The overhead of a launch in a filled queue.
constexpr double kLaunchMicroseconds = 2;

}  // namespace

double estimate(const Kernel& kernel, const hopper::ProblemSizes& sizes) {
  const int64_t of_head = parts(sizes.queries, int64_t{kernel.rows} * kernel.cluster) * kernel.cluster;
  const double tiles =
      static_cast<double>(sizes.batch) * static_cast<double>(sizes.heads) * static_cast<double>(of_head);
  return kLaunchMicroseconds + hopper::tiles_microseconds(kernel.times, tiles, key_blocks(kernel, sizes.keys));
}

const Kernel* find_kernel(bool bfloat16, const hopper::ProblemSizes& sizes, std::string_view tile) {
  const Kernel* best = nullptr;
  for (const Kernel& kernel : bfloat16 ? bfloat16_kernels() : float16_kernels()) {
    if (kernel.head_size != sizes.head_size || (tile != "auto" && tile != kernel.name)) continue;
    if (tile == "auto" && !fills_clusters(kernel, sizes.queries)) continue;
    if (best == nullptr || estimate(kernel, sizes) < estimate(*best, sizes)) best = &kernel;
  }
  return best;
}

}  // namespace fastvideo::dense
