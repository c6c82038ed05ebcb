#include "pipelines/common/layers/rms_norm.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#include "pipelines/common/layers/kernel_call.hpp"

namespace fastvideo {
namespace {

// Sums run in this many lanes, so that compilers vectorise them without reordering floating point additions.
constexpr int64_t kLanes = 16;
// Elements for which another thread pays off.
constexpr int64_t kGrain = 32768;

template <typename T>
float mean_of_squares(const T* x, int64_t n) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<float>(x[i + lane]);
      lanes[lane] += value * value;
    }
  float sum = 0;
  for (; i < n; ++i) sum += static_cast<float>(x[i]) * static_cast<float>(x[i]);
  for (const float lane : lanes) sum += lane;
  return sum / static_cast<float>(n);
}

// Rotates pairs of neighbours; `row` holds whole heads of 2 * half channels.
void rotate(float* row, int64_t n, const float* cos, const float* sin, int64_t half) {
  for (int64_t head = 0; head < n; head += 2 * half)
    for (int64_t i = 0; i < half; ++i) {
      const float a = row[head + 2 * i];
      const float b = row[head + 2 * i + 1];
      row[head + 2 * i] = a * cos[i] - b * sin[i];
      row[head + 2 * i + 1] = a * sin[i] + b * cos[i];
    }
}

// x, out: [rows, n], the same memory or disjoint. Row r has the token r % length of the table.
template <typename T>
void norm_rows(const T* x, T* out, const T* weight, int64_t rows, int64_t n, float eps, const RotaryTable* table) {
  const float* cos = table != nullptr ? table->cos.const_data_ptr<float>() : nullptr;
  const float* sin = table != nullptr ? table->sin.const_data_ptr<float>() : nullptr;
  const int64_t length = table != nullptr ? table->cos.size(0) : 1;
  const int64_t half = table != nullptr ? table->cos.size(1) : 0;
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<size_t>(n));
    for (int64_t r = begin; r < end; ++r) {
      const T* from = x + r * n;
      T* to = out + r * n;
      const float scale = 1.0F / std::sqrt(mean_of_squares(from, n) + eps);
      for (int64_t i = 0; i < n; ++i)
        row[static_cast<size_t>(i)] = static_cast<float>(from[i]) * scale * static_cast<float>(weight[i]);
      if (table != nullptr) rotate(row.data(), n, cos + r % length * half, sin + r % length * half, half);
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(row[static_cast<size_t>(i)]);
    }
  });
}

void norm_on_cpu(const at::Tensor& x, const at::Tensor& out, const at::Tensor& weight, double eps,
                 const RotaryTable* table) {
  const int64_t n = x.size(-1);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, x.scalar_type(), "rms_norm", [&] {
    norm_rows(x.const_data_ptr<scalar_t>(), out.data_ptr<scalar_t>(), weight.const_data_ptr<scalar_t>(), x.numel() / n,
              n, static_cast<float>(eps), table);
  });
}

// Runs the project's kernel. False if the kernel does not support the tensors.
bool launched(const at::Tensor& x, const at::Tensor& out, const at::Tensor& weight, double eps,
              const RotaryTable* table) {
  const auto element = kernel_element(x.scalar_type());
  if (!element || !x.is_cuda()) return false;
  kernels::RmsNorm call{};
  call.element = call.weight_element = *element;
  call.channels = x.size(-1);
  call.rows = x.numel() / call.channels;
  call.x = x.const_data_ptr();
  call.out = out.data_ptr();
  call.weight = weight.const_data_ptr();
  call.eps = static_cast<float>(eps);
  if (table != nullptr) {
    call.cos = table->cos.const_data_ptr<float>();
    call.sin = table->sin.const_data_ptr<float>();
    call.tokens = table->cos.size(0);
    call.head_size = 2 * table->cos.size(1);
  }
  return try_launch(call, x.device());
}

}  // namespace

namespace by_libtorch {

at::Tensor rms_norm_rotary(const at::Tensor& x, const at::Tensor& weight, double eps, const RotaryTable* table) {
  if (table == nullptr) return at::rms_norm(x, weight.sizes(), weight, eps);
  // As complex numbers a pair of channels is rotated by one product.
  const int64_t half = table->cos.size(1);
  const at::Tensor normed = at::rms_norm(x.to(at::kFloat), weight.sizes(), weight.to(at::kFloat), eps);
  const at::Tensor pairs = at::view_as_complex(normed.view({x.size(0), x.size(1), -1, half, 2}));
  const at::Tensor turned = pairs.mul_(at::complex(table->cos, table->sin).unsqueeze(1));
  return at::view_as_real(turned).reshape(x.sizes()).to(x.scalar_type());
}

}  // namespace by_libtorch

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor from = x.contiguous();
  at::Tensor out = at::empty_like(from);
  if (x.is_cpu())
    norm_on_cpu(from, out, weight, eps, nullptr);
  else if (!launched(from, out, weight, eps, nullptr))
    return by_libtorch::rms_norm_rotary(from, weight, eps);
  return out;
}

at::Tensor rms_norm_rotary(at::Tensor x, const at::Tensor& weight, double eps, const RotaryTable* table) {
  if (x.is_cpu())
    norm_on_cpu(x, x, weight, eps, table);
  else if (!launched(x, x, weight, eps, table))
    return by_libtorch::rms_norm_rotary(x, weight, eps, table);
  return x;
}

}  // namespace fastvideo
