#include "sdk/testing/host_tensor.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "sdk/testing/element.hpp"

namespace fastvideo::testing {
namespace {

constexpr size_t kRule = 16;  // data and strides are multiples of this many bytes

int64_t rounded_up(int64_t count, int64_t multiple) { return (count + multiple - 1) / multiple * multiple; }

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

double unit_roundoff(fv_dtype dtype) {
  if (dtype.code == FV_BFLOAT) return std::ldexp(1.0, -8);
  return std::ldexp(1.0, dtype.bits == 16 ? -11 : dtype.bits == 32 ? -24 : -53);
}

HostTensor::HostTensor(fv_dtype dtype, const std::array<int64_t, 4>& shape, Layout layout)
    : dtype_(dtype), shape_(shape) {
  const int64_t unit = static_cast<int64_t>(kRule) * 8 / dtype.bits;  // elements in 16 bytes
  const int64_t gap = layout == Layout::padded ? unit : 0;
  const int64_t row = rounded_up(shape[3], unit) + gap;
  if (layout == Layout::heads_first)
    strides_ = {shape[1] * shape[2] * row, row, shape[1] * row, 1};
  else
    strides_ = {shape[1] * (shape[2] * row + gap) + 3 * gap, shape[2] * row + gap, row, 1};
  const size_t element = dtype.bits / 8;
  const size_t offset = layout == Layout::padded ? 3 * kRule : 0;
  const auto bytes = static_cast<size_t>(shape[0] * strides_[0]) * element + offset;
  // A row of gaps before and behind, so that writing outside is seen; aligned to 16 bytes and not to more.
  memory_.resize(bytes + 8 * kRule);
  const size_t misaligned = reinterpret_cast<uintptr_t>(memory_.data()) % kRule;
  begin_ = 3 * kRule + (kRule - misaligned) % kRule;
  tensor_ = {memory_.data() + begin_, {FV_DEVICE_CPU, 0}, 4, dtype, shape_.data(), strides_.data(), offset};
  poison();
}

size_t HostTensor::offset(const std::array<int64_t, 4>& at) const {
  int64_t elements = 0;
  for (size_t i = 0; i < 4; ++i) elements += at[i] * strides_[i];
  return begin_ + tensor_.byte_offset + static_cast<size_t>(elements) * dtype_.bits / 8;
}

void HostTensor::set(const std::array<int64_t, 4>& at, double value) {
  std::byte* to = memory_.data() + offset(at);
  if (dtype_.code == FV_BOOL)
    store<uint8_t>(to, value != 0 ? 1 : 0);
  else if (dtype_.bits == 16)
    store(to, static_cast<uint16_t>(to_bits(static_cast<float>(value), dtype_)));
  else if (dtype_.bits == 32)
    store(to, static_cast<float>(value));
  else
    store(to, value);
}

double HostTensor::get(const std::array<int64_t, 4>& at) const {
  const std::byte* from = memory_.data() + offset(at);
  if (dtype_.code == FV_BOOL) return load<uint8_t>(from);
  if (dtype_.bits == 16) return from_bits(load<uint16_t>(from), dtype_);
  return dtype_.bits == 32 ? load<float>(from) : load<double>(from);
}

std::vector<double> HostTensor::values() const {
  std::vector<double> all;
  all.reserve(static_cast<size_t>(shape_[0] * shape_[1] * shape_[2] * shape_[3]));
  for (int64_t a = 0; a < shape_[0]; ++a)
    for (int64_t b = 0; b < shape_[1]; ++b)
      for (int64_t c = 0; c < shape_[2]; ++c)
        for (int64_t d = 0; d < shape_[3]; ++d) all.push_back(get({a, b, c, d}));
  return all;
}

void HostTensor::poison() { std::fill(memory_.begin(), memory_.end(), std::byte{0xFF}); }

bool HostTensor::gaps_untouched() const {
  std::vector<bool> used(memory_.size(), false);
  for (int64_t a = 0; a < shape_[0]; ++a)
    for (int64_t b = 0; b < shape_[1]; ++b)
      for (int64_t c = 0; c < shape_[2]; ++c) {
        const auto row = used.begin() + static_cast<ptrdiff_t>(offset({a, b, c, 0}));
        std::fill(row, row + static_cast<ptrdiff_t>(shape_[3] * dtype_.bits / 8), true);
      }
  for (size_t i = 0; i < memory_.size(); ++i)
    if (!used[i] && memory_[i] != std::byte{0xFF}) return false;
  return true;
}

}  // namespace fastvideo::testing
