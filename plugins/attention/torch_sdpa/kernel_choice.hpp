// The kernels behind LibTorch's scaled_dot_product_attention: which kernel LibTorch would run, and how a kernel is
// forced.
#pragma once

#include <ATen/SDPBackend.h>
#include <ATen/core/Tensor.h>

#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

namespace fastvideo::torch_sdpa {

/// The kernel of an option's value ("math", "flash", "efficient", "cudnn"); nothing for "auto".
std::optional<at::SDPBackend> parse_kernel(std::string_view option);

/// "math", "flash", "efficient" or "cudnn".
const char* kernel_name(at::SDPBackend kernel);

/// The properties of a call that LibTorch's choice depends on.
struct Problem {
  at::Device device;
  at::ScalarType dtype;
  int64_t batch;
  int64_t query_heads;
  int64_t kv_heads;
  int64_t query_length;
  int64_t key_length;
  int64_t head_size;
  std::optional<at::ScalarType> mask;  ///< type of the mask, if one is given
  bool causal;
};

/// LibTorch's choice of a kernel.
struct Choice {
  std::optional<at::SDPBackend> kernel;  ///< nothing: no kernel can run this, for `reason`
  bool repeat_heads = false;             ///< only if grouped key and value heads are repeated first
  std::string reason;                    ///< LibTorch's own words
};

/// Asks LibTorch which kernel runs `problem`, when all are allowed or only `forced`. Starts no device work.
Choice choose_kernel(const Problem& problem, std::optional<at::SDPBackend> forced);

/// During the object's life LibTorch uses no kernel but `forced` (nothing: any). LibTorch's switches belong to the
/// process, so a scope that forces waits for all other scopes, and they wait for it.
class KernelScope {
 public:
  explicit KernelScope(std::optional<at::SDPBackend> forced);
  ~KernelScope();
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;

 private:
  struct Switches {
    bool math, flash, efficient, cudnn, overrideable;
  };
  static Switches read();
  static void write(const Switches& switches);

  std::shared_lock<std::shared_mutex> reading_;
  std::unique_lock<std::shared_mutex> writing_;
  std::optional<Switches> former_;
};

}  // namespace fastvideo::torch_sdpa
