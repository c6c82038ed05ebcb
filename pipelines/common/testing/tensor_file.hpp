// Tensors in and out of a test driver: small safetensors files, read and written without the code under test.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace fastvideo::testing {

using TensorMap = std::map<std::string, at::Tensor>;

/// All tensors of a safetensors file (F32, BF16, I64), as copies on the CPU. Throws std::runtime_error.
TensorMap read_tensors(const std::filesystem::path& file);

/// Writes the tensors (any device) as a safetensors file. Throws std::runtime_error.
void write_tensors(const std::filesystem::path& file, const TensorMap& tensors);

}  // namespace fastvideo::testing
