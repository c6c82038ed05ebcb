// Where a model's weights come from. Sources are stacked: files at the bottom, above them sources that rename or
// convert tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fastvideo {

/// The facts of a tensor that are known before it is read.
struct StoredTensor {
  std::string name;   ///< in its file
  std::string dtype;  ///< as safetensors spells it: "BF16"
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
  std::filesystem::path file;
};

/// Tensors by name. One thread at a time.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// All names, in lexicographic order.
  virtual std::vector<std::string> names() const = 0;
  /// nullptr if no tensor has that name; valid while the source lives.
  virtual const StoredTensor* find(std::string_view name) const = 0;

  /// The tensor as stored, on the CPU or, if the source reads no data, on the device meta. Never write to it: it may
  /// borrow the mapped file, which then stays open as long as the tensor. Only for existing names and floating point
  /// types. Throws std::runtime_error if the file has changed.
  virtual at::Tensor read(std::string_view name) = 0;

  /// Returns the memory behind a tensor to the system; tensors that still borrow it read the file again.
  virtual void release(std::string_view name) = 0;

  /// Throws std::runtime_error naming a file that has changed since it was opened.
  virtual void require_unchanged() const = 0;
};

/// The LibTorch type of a floating point type of safetensors (F32, BF16, F16, F64). Throws std::invalid_argument.
at::ScalarType floating_type(std::string_view dtype);
bool is_floating_type(std::string_view dtype);

/// Safetensors files, mapped. Throws Refused naming the file and its fault.
std::unique_ptr<WeightSource> open_weight_files(std::span<const std::filesystem::path> files);

/// The same from the headers alone, with the files closed again: read gives tensors of the device meta, without data.
std::unique_ptr<WeightSource> outline_weight_files(std::span<const std::filesystem::path> files);

/// The same tensors, with the tensor `from` under the name `to`; unchanged if `from` does not exist or `to` is taken.
std::unique_ptr<WeightSource> renamed(std::unique_ptr<WeightSource> source, std::string from, std::string to);

}  // namespace fastvideo
