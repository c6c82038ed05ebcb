#include "plugins/attention/common/hopper/dense/dense.hpp"

namespace fastvideo::dense {
namespace {

// Above so many keys a wide block is best whatever it leaves empty at the end.
constexpr int64_t kShortKeys = 1024;

// Keys that blocks of a kernel cover where there are so many.
int64_t covered(const Kernel& kernel, int64_t keys) {
  return (keys + kernel.key_width - 1) / kernel.key_width * kernel.key_width;
}

// Of a launch in a filled queue.
constexpr double kLaunchMicroseconds = 2;

}  // namespace

double estimate(const Kernel& kernel, int64_t batch, int64_t heads, int64_t queries, int64_t keys) {
  const auto parts = [](int64_t of, int64_t size) { return static_cast<double>((of + size - 1) / size); };
  const double tiles = static_cast<double>(batch) * static_cast<double>(heads) * parts(queries, kernel.rows);
  return kLaunchMicroseconds + hopper::tiles_microseconds(kernel.times, tiles, parts(keys, kernel.key_width));
}

// Measured at 512 keys: 128 wide is 2 % faster than 176.
const Kernel* find_kernel(bool bfloat16, int head_size, int64_t keys, std::string_view tile) {
  const Kernel* best = nullptr;
  for (const Kernel& kernel : bfloat16 ? bfloat16_kernels() : float16_kernels()) {
    if (kernel.head_size != head_size || (tile != "auto" && tile != kernel.name)) continue;
    if (best == nullptr || (keys <= kShortKeys && covered(kernel, keys) < covered(*best, keys))) best = &kernel;
  }
  return best;
}

}  // namespace fastvideo::dense
