// From tensors to the project's CUDA kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "pipelines/common/kernels/kernels.hpp"

namespace fastvideo {

/// The kernels' name of an element type; nothing if they do not compute in it.
std::optional<kernels::Element> kernel_element(at::ScalarType type);

/// Enqueues a call on LibTorch's current stream of the device. False, and nothing done, if the kernels do not take it:
/// not a CUDA device of theirs, a build without them, sizes that are no multiples of 16 bytes. Then LibTorch computes
/// the same formula, more slowly.
bool try_launch(const kernels::AddNorm& call, at::Device device);
bool try_launch(const kernels::RmsNorm& call, at::Device device);

}  // namespace fastvideo
