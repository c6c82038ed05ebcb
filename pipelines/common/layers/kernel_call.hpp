// From tensors to the project's CUDA kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "pipelines/common/kernels/kernels.hpp"

namespace fastvideo {

/// The kernels' enumerator for an element type; nothing if the kernels do not support the type.
std::optional<kernels::Element> kernel_element(at::ScalarType type);

/// Enqueues a call on LibTorch's current stream of the device. False, with nothing done, if the kernels do not support
/// the call: another device, a build without kernels, sizes that are no multiples of 16 bytes. Callers then compute the
/// same formula with LibTorch, more slowly.
bool try_launch(const kernels::AddNorm& call, at::Device device);
bool try_launch(const kernels::RmsNorm& call, at::Device device);

}  // namespace fastvideo
