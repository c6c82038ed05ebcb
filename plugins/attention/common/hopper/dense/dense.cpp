#include "plugins/attention/common/hopper/dense/dense.hpp"

namespace fastvideo::dense {
namespace {

// Above so many keys a wide block is best whatever it leaves empty at the end.
constexpr int64_t kShortKeys = 1024;

// Keys that blocks of a kernel cover where there are so many.
int64_t covered(const Kernel& kernel, int64_t keys) {
  return (keys + kernel.key_width - 1) / kernel.key_width * kernel.key_width;
}

// Whether the tiles of a head that a cluster has beside those that exist are few. Measured: where one of 14 is empty a
// pair loses 4 %; sharing loads gains 1 to 5 % over long sequences.
constexpr int64_t kTilesOfAnEmptyOne = 32;
bool fills_clusters(const Kernel& kernel, int64_t queries) {
  const int64_t tiles = (queries + kernel.rows - 1) / kernel.rows;
  return tiles % kernel.cluster == 0 || tiles >= kTilesOfAnEmptyOne;
}

// Of a launch in a filled queue.
constexpr double kLaunchMicroseconds = 2;

}  // namespace

double estimate(const Kernel& kernel, int64_t batch, int64_t heads, int64_t queries, int64_t keys) {
  const auto parts = [](int64_t of, int64_t size) {
    const int64_t count = (of + size - 1) / size;
    return static_cast<double>(count);
  };
  const double of_head = parts(queries, int64_t{kernel.rows} * kernel.cluster) * kernel.cluster;
  const double tiles = static_cast<double>(batch) * static_cast<double>(heads) * of_head;
  return kLaunchMicroseconds + hopper::tiles_microseconds(kernel.times, tiles, parts(keys, kernel.key_width));
}

// Measured at 512 keys: 128 wide is 2 % faster than 176.
const Kernel* find_kernel(bool bfloat16, int head_size, int64_t queries, int64_t keys, std::string_view tile) {
  const Kernel* best = nullptr;
  for (const Kernel& kernel : bfloat16 ? bfloat16_kernels() : float16_kernels()) {
    if (kernel.head_size != head_size || (tile != "auto" && tile != kernel.name)) continue;
    if (tile == "auto" && !fills_clusters(kernel, queries)) continue;
    if (best == nullptr || (keys <= kShortKeys && covered(kernel, keys) < covered(*best, keys))) best = &kernel;
  }
  return best;
}

}  // namespace fastvideo::dense
