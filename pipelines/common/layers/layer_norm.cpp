#include "pipelines/common/layers/layer_norm.hpp"

#include <ATen/ATen.h>

#include "pipelines/common/layers/kernel_call.hpp"

namespace fastvideo {
namespace {

// The parameters of a batch row for the kernels, and the distance to the next batch row's.
struct Row {
  const float* data = nullptr;
  int64_t stride = 0;
};

Row row_of(const at::Tensor& parameter) {
  if (!parameter.defined()) return {};
  const bool many = parameter.dim() == 2 && parameter.size(0) > 1;
  return {parameter.const_data_ptr<float>(), many ? parameter.stride(0) : 0};
}

// Runs the kernel over x and, if defined, y, which becomes the sum. False if the kernel does not support the tensors.
bool launched(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate, const Affine* map, double eps,
              const at::Tensor& normed) {
  const auto element = kernel_element(x.scalar_type());
  if (!element || !x.is_cuda()) return false;
  kernels::AddNorm call{};
  call.element = *element;
  call.batch = x.size(0);
  call.tokens = x.size(1);
  call.channels = x.size(2);
  call.x = x.const_data_ptr();
  if (y.defined()) {
    call.y = y.const_data_ptr();
    call.sum = y.data_ptr();
    const Row row = row_of(gate);
    call.gate = row.data;
    call.gate_stride = row.stride;
  }
  if (map != nullptr) {
    const Row scale = row_of(map->scale), shift = row_of(map->shift);
    call.scale = scale.data;
    call.scale_stride = scale.stride;
    call.shift = shift.data;
    call.shift_stride = shift.stride;
    call.out = normed.data_ptr();
    call.eps = static_cast<float>(eps);
  }
  return try_launch(call, x.device());
}

}  // namespace

namespace by_libtorch {

at::Tensor layer_norm(const at::Tensor& x, const Affine& map, double eps) {
  if (map.scale.dim() == 1 || map.scale.size(0) == 1) {
    // LibTorch's CPU kernel takes bfloat16 with float32 parameters, its CUDA kernel does not.
    const at::Tensor in = x.is_cpu() ? x : x.to(at::kFloat);
    return at::layer_norm(in, {x.size(-1)}, map.scale.flatten(), map.shift.flatten(), eps).to(x.scalar_type());
  }
  const at::Tensor normed = at::layer_norm(x.to(at::kFloat), {x.size(-1)}, {}, {}, eps);
  return at::addcmul(map.shift.unsqueeze(1), normed, map.scale.unsqueeze(1)).to(x.scalar_type());
}

at::Tensor add_gated(const at::Tensor& x, at::Tensor y, const at::Tensor& gate) {
  return gate.defined() ? at::addcmul_out(y, x, y, gate.unsqueeze(1)) : y.add_(x);
}

}  // namespace by_libtorch

at::Tensor layer_norm(const at::Tensor& x, const Affine& map, double eps) {
  if (x.is_cuda()) {
    const at::Tensor from = x.contiguous();
    at::Tensor normed = at::empty_like(from);
    if (launched(from, {}, {}, &map, eps, normed)) return normed;
  }
  return by_libtorch::layer_norm(x, map, eps);
}

at::Tensor add_gated(const at::Tensor& x, at::Tensor y, const at::Tensor& gate) {
  if (x.is_contiguous() && y.is_contiguous() && launched(x, y, gate, nullptr, 0, {})) return y;
  return by_libtorch::add_gated(x, std::move(y), gate);
}

SumAndNorm add_and_norm(const at::Tensor& x, at::Tensor y, const at::Tensor& gate, const Affine& map, double eps) {
  if (x.is_cuda() && x.is_contiguous() && y.is_contiguous()) {
    at::Tensor normed = at::empty_like(x);
    if (launched(x, y, gate, &map, eps, normed)) return {y, normed};
  }
  const at::Tensor sum = by_libtorch::add_gated(x, std::move(y), gate);
  return {sum, by_libtorch::layer_norm(sum, map, eps)};
}

}  // namespace fastvideo
