#include "plugins/attention/sage_attn/cpu/quantised_keys.hpp"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <vector>

#include "plugins/attention/common/cpu/half.hpp"
#include "plugins/attention/sage_attn/cpu/e4m3.hpp"

namespace fastvideo::sage {
namespace {

using cpu::to_float;

int64_t blocks(int64_t keys) { return (keys + kKeyBlock - 1) / kKeyBlock; }

template <class T>
void mean_of_rows(const HeadView<T>& k, int64_t keys, int64_t size, float* mean) {
  std::vector<double> sums(static_cast<size_t>(size));
  for (int64_t j = 0; j < keys; ++j)
    for (int64_t d = 0; d < size; ++d) sums[d] += double{to_float(k.row(j)[d])};
  for (int64_t d = 0; d < size; ++d) mean[d] = static_cast<float>(sums[d] / static_cast<double>(keys));
}

template <class T>
void quantise_key_block(const Settings& settings, const HeadView<T>& k, int64_t first, const QuantisedKeys& into) {
  const int64_t size = k.tensor.size(3), end = std::min(first + kKeyBlock, k.tensor.size(1));
  const auto group_of = [](int64_t key) { return key % 8 / 2; };
  std::array<float, kKeyScales> largest{};
  for (int64_t j = first; j < end; ++j)
    for (int64_t d = 0; d < size; ++d)
      largest[group_of(j)] = larger(largest[group_of(j)], std::fabs(to_float(k.row(j)[d]) - into.mean[d]));
  if (settings.per_block) largest.fill(larger(larger(largest[0], largest[1]), larger(largest[2], largest[3])));
  float* scales = into.k_scales + first / kKeyBlock * kKeyScales;
  for (int64_t c = 0; c < kKeyScales; ++c) scales[c] = Scale::of(largest[c], 127).step;
  for (int64_t j = first; j < end; ++j) {
    const float per_unit = Scale{scales[group_of(j)]}.per_unit();
    for (int64_t d = 0; d < size; ++d)
      into.keys[j * size + d] = to_int8((to_float(k.row(j)[d]) - into.mean[d]) * per_unit);
  }
}

template <class T>
void quantise_values(const HeadView<T>& v, const QuantisedKeys& into) {
  const int64_t keys = v.tensor.size(1), size = v.tensor.size(3);
  std::fill_n(into.v_scales, size, 0.0F);
  for (int64_t j = 0; j < keys; ++j)
    for (int64_t d = 0; d < size; ++d) into.v_scales[d] = larger(into.v_scales[d], std::fabs(to_float(v.row(j)[d])));
  for (int64_t d = 0; d < size; ++d) {
    const Scale scale = Scale::of(into.v_scales[d], kLargestValue);
    into.v_scales[d] = scale.step;
    double lost = 0;  // in steps
    for (int64_t j = 0; j < keys; ++j) {
      const float steps = to_float(v.row(j)[d]) * scale.per_unit();
      into.values[j * size + d] = to_e4m3(steps);
      lost += double{steps} - double{round_to_e4m3(steps)};
    }
    into.v_residual[d] = static_cast<float>(lost / static_cast<double>(keys)) * scale.step;
  }
}

}  // namespace

Scale Scale::of(float largest, float last) { return {std::isfinite(largest) ? largest / last : NAN}; }

float Scale::per_unit() const { return step >= FLT_MIN ? 1 / step : 0; }

float larger(float a, float b) { return a >= b || std::isnan(a) ? a : b; }

int8_t to_int8(float steps) {
  if (!(std::fabs(steps) <= 127)) return static_cast<int8_t>(steps > 0 ? 127 : steps < 0 ? -127 : 0);
  return static_cast<int8_t>(std::lrint(steps));
}

uint64_t QuantisedKeys::bytes(int64_t keys, int64_t size) {
  const auto scales = static_cast<uint64_t>(3 * size + blocks(keys) * kKeyScales);
  return (scales * sizeof(float) + static_cast<uint64_t>(2 * keys * size) + 63) / 64 * 64;
}

QuantisedKeys QuantisedKeys::in(void* memory, int64_t keys, int64_t size) {
  QuantisedKeys head{};
  head.mean = static_cast<float*>(memory);
  head.v_scales = head.mean + size;
  head.v_residual = head.v_scales + size;
  head.k_scales = head.v_residual + size;
  head.keys = reinterpret_cast<int8_t*>(head.k_scales + blocks(keys) * kKeyScales);
  head.values = reinterpret_cast<uint8_t*>(head.keys + keys * size);
  return head;
}

template <class T>
void quantise(const Settings& settings, const HeadView<T>& k, const HeadView<T>& v, const QuantisedKeys& into) {
  const int64_t keys = k.tensor.size(1), size = k.tensor.size(3);
  std::fill_n(into.mean, size, 0.0F);
  std::fill_n(into.v_scales, size, 1.0F);
  std::fill_n(into.v_residual, size, 0.0F);
  if (keys == 0) return;
  if (settings.smooth_k) mean_of_rows(k, keys, size, into.mean);
  for (int64_t first = 0; first < keys; first += kKeyBlock) quantise_key_block(settings, k, first, into);
  if (settings.fp8_values) quantise_values(v, into);
}

template void quantise(const Settings&, const HeadView<float>&, const HeadView<float>&, const QuantisedKeys&);
template void quantise(const Settings&, const HeadView<cpu::BFloat16>&, const HeadView<cpu::BFloat16>&,
                       const QuantisedKeys&);
template void quantise(const Settings&, const HeadView<cpu::Float16>&, const HeadView<cpu::Float16>&,
                       const QuantisedKeys&);

}  // namespace fastvideo::sage
