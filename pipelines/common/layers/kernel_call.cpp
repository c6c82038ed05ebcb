#include "pipelines/common/layers/kernel_call.hpp"

#include <ATen/ATen.h>

#include <fastvideo/torch.hpp>

namespace fastvideo {
namespace {

template <class Call>
bool launched(const Call& call, at::Device device) {
  if (!device.is_cuda() || !kernels::runs_on(device.index()) || !kernels::refusal(call).empty()) return false;
  kernels::launch(call, device.index(), current_stream(device));
  return true;
}

}  // namespace

std::optional<kernels::Element> kernel_element(at::ScalarType type) {
  if (type == at::kFloat) return kernels::Element::float32;
  if (type == at::kHalf) return kernels::Element::float16;
  if (type == at::kBFloat16) return kernels::Element::bfloat16;
  return std::nullopt;
}

bool try_launch(const kernels::AddNorm& call, at::Device device) { return launched(call, device); }
bool try_launch(const kernels::RmsNorm& call, at::Device device) { return launched(call, device); }

}  // namespace fastvideo
