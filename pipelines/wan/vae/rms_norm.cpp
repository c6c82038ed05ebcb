#include "pipelines/wan/vae/rms_norm.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "pipelines/common/layers/kernel_call.hpp"
#include "pipelines/wan/vae/vector_width.hpp"

namespace fastvideo::wan {
namespace {

constexpr int64_t kLanes = 16;  // partial sums: one AVX-512 register of float32, and enough independent work for others

[[gnu::always_inline]] inline float load(const float* from) { return *from; }
[[gnu::always_inline]] inline float load(const at::BFloat16* from) {
  return std::bit_cast<float>(static_cast<uint32_t>(from->x) << 16);
}

[[gnu::always_inline]] inline void store(float* to, float value) { *to = value; }
// Round to nearest, ties to even. A NaN stays a NaN: its payload is not all ones in these computations.
[[gnu::always_inline]] inline void store(at::BFloat16* to, float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  to->x = static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

// e^x within 2 units in the last place, without a branch, so that compilers vectorise the loop around it: x = n ln 2 +
// r, e^r by its Taylor polynomial (|r| <= 0.347: the next term is below 1e-8), 2^n by the exponent bits.
[[gnu::always_inline]] inline float exponential(float x) {
  x = std::min(std::max(x, -87.0F), 88.0F);
  const float shifted = x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: rounds to an integer in the low bits
  const float n = shifted - 12582912.0F;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;  // ln 2 in two parts, the first exact in 10 bits
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

template <class T>
[[gnu::always_inline]] inline float sum_of_squares(const T* x, int64_t channels) {
  float sums[kLanes] = {};
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = load(x + c + lane);
      sums[lane] += value * value;
    }
  float sum = 0;
  for (const float partial : sums) sum += partial;
  for (; c < channels; ++c) sum += load(x + c) * load(x + c);
  return sum;
}

template <class T, bool kSilu>
[[gnu::always_inline]] inline void norm_rows(const T* x, const float* gamma, T* out, int64_t rows, int64_t channels) {
  const float root = std::sqrt(static_cast<float>(channels));
  for (int64_t row = 0; row < rows; ++row, x += channels, out += channels) {
    const float scale = root / std::max(std::sqrt(sum_of_squares(x, channels)), 1e-12F);
    for (int64_t c = 0; c < channels; ++c) {
      const float y = load(x + c) * scale * gamma[c];
      store(out + c, kSilu ? y / (1.0F + exponential(-y)) : y);
    }
  }
}

template <class T, bool kSilu>
void norm_on_cpu(const at::Tensor& x, const at::Tensor& gamma, at::Tensor& out) {
  const int64_t channels = x.size(-1);
  const T* from = x.const_data_ptr<T>();
  const float* weight = gamma.const_data_ptr<float>();
  T* to = out.mutable_data_ptr<T>();
  at::parallel_for(0, x.numel() / channels, std::max<int64_t>(1, 16384 / channels), [&](int64_t begin, int64_t end) {
    with_widest_vectors([&]() __attribute__((always_inline)) {
      norm_rows<T, kSilu>(from + begin * channels, weight, to + begin * channels, end - begin, channels);
    });
  });
}

// |x|_2 / sqrt(C) is the root mean square, so that its epsilon is 1e-24 / C.
double epsilon(int64_t channels) { return 1e-24 / static_cast<double>(channels); }

// Runs the project's CUDA kernel. False if the kernel does not support the tensors.
bool launched(const at::Tensor& x, const at::Tensor& gamma, Activation activation, const at::Tensor& out) {
  const auto element = kernel_element(x.scalar_type());
  if (!element || !x.is_cuda()) return false;
  kernels::RmsNorm call{};
  call.element = *element;
  call.weight_element = kernels::Element::float32;
  call.channels = x.size(-1);
  call.rows = x.numel() / call.channels;
  call.x = x.const_data_ptr();
  call.out = out.data_ptr();
  call.weight = gamma.const_data_ptr();
  call.eps = static_cast<float>(epsilon(call.channels));
  call.silu = activation == Activation::silu;
  return try_launch(call, x.device());
}

void norm_by_libtorch(const at::Tensor& x, const at::Tensor& gamma, Activation activation, at::Tensor& out) {
  const int64_t channels = x.size(-1);
  const at::Tensor normalised = at::rms_norm(x, {channels}, gamma.to(x.scalar_type()), epsilon(channels));
  if (activation == Activation::silu)
    at::silu_out(out, normalised);
  else
    out.copy_(normalised);
}

}  // namespace

void rms_norm(const at::Tensor& x, const at::Tensor& gamma, Activation activation, at::Tensor& out) {
  if (!x.device().is_cpu()) {
    if (!launched(x, gamma, activation, out)) norm_by_libtorch(x, gamma, activation, out);
    return;
  }
  const bool silu = activation == Activation::silu;
  if (x.scalar_type() == at::kFloat)
    silu ? norm_on_cpu<float, true>(x, gamma, out) : norm_on_cpu<float, false>(x, gamma, out);
  else
    silu ? norm_on_cpu<at::BFloat16, true>(x, gamma, out) : norm_on_cpu<at::BFloat16, false>(x, gamma, out);
}

}  // namespace fastvideo::wan
