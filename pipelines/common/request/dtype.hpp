// The names that parameters give element types.
#pragma once

#include <ATen/core/Tensor.h>

#include <fastvideo/core.hpp>

namespace fastvideo {

/// Parameter `name`: float32, bfloat16, or auto, which is bfloat16 on CUDA and float32 elsewhere. Throws Refused for
/// another word.
at::ScalarType parse_dtype(const Options& parameters, const char* name, at::Device device);

}  // namespace fastvideo
