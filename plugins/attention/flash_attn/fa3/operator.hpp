// FlashAttention-3 (Shah et al. 2024) from its package: the operator flash_attn_3::fwd, which a library of that package
// registers with LibTorch when it is opened.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <filesystem>
#include <vector>

#include "plugins/attention/flash_attn/torch_call.hpp"

namespace fastvideo::fa3 {

using flash_torch::Call;

/// The operator and its schema. Any thread.
class Operator {
 public:
  /// Opens the library, unless it is open. Throws std::runtime_error, which begins with the file: why it cannot be
  /// opened, or which part of its schema is unknown here. [one thread: the loader's]
  explicit Operator(const std::filesystem::path& library);

  bool runs_on(at::DeviceType device) const;

  /// Enqueues a call on LibTorch's current stream. Keys at and behind a row's length are not read; a row without keys
  /// gives zeros and minus infinity. Throws c10::Error.
  void attend(const Call& call) const;

 private:
  // The value of an argument of the schema in every call: a part of the call, or a constant.
  struct Argument {
    enum class Part { q, k, v, out, key_lengths, scale, constant } part = Part::constant;
    c10::IValue value = {};
  };
  static Argument understand(const c10::Argument& argument);

  c10::OperatorHandle handle_;
  std::vector<Argument> arguments_;
};

}  // namespace fastvideo::fa3
