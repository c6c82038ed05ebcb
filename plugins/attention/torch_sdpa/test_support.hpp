// The backend through its C table, random problems for it, and the formula in float64 to compare with.
#pragma once

#include <ATen/ATen.h>
#include <fastvideo/attention.h>

#include <optional>
#include <random>
#include <string>

namespace fastvideo::torch_sdpa_test {

/// The backend of the plugin with one kernel option.
class Backend {
 public:
  explicit Backend(const std::string& kernel);
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  const fv_attention_interface& table() const { return *table_; }
  fv_attention* get() const { return backend_; }
  /// Why a site is not supported; nothing if it is.
  std::optional<std::string> refusal(const fv_attention_site& site) const;
  /// The reason that comes with a yes.
  std::string remark(const fv_attention_site& site) const;

 private:
  const fv_attention_interface* table_;
  fv_attention* backend_ = nullptr;
};

/// One attention problem: tensors as a model would pass them, and masks.
struct Problem {
  at::Tensor q;            ///< [B, Lq, H, D]
  at::Tensor k;            ///< [B, Lk, Hkv, D]
  at::Tensor v;            ///< [B, Lk, Hkv, D]
  at::Tensor mask;         ///< undefined, or broadcastable to [B, H, Lq, Lk]
  at::Tensor key_lengths;  ///< undefined, or int32 [B]
  uint32_t masks = 0;
  int64_t grid[3] = {0, 0, 0};
  double scale = 1;

  fv_attention_site site() const;
};

/// A site with nothing special: float32 on the CPU, batch 1, 2 heads, 8 queries and keys, head size 16.
fv_attention_site plain_site();

/// The masks and dtype of a problem.
struct Wishes {
  at::ScalarType dtype = at::kFloat;
  uint32_t masks = 0;
  bool equal_lengths = false;
  bool grouped = false;
};

/// Sizes, strides, mask shapes and values at random; some rows see no key.
Problem random_problem(std::mt19937& random, const Wishes& wishes);

/// The problem on another device.
Problem to_device(const Problem& problem, at::Device device);

/// The result of a run.
struct Result {
  at::Tensor out;                  ///< [B, Lq, H, D]
  std::string kernel;              ///< the kernel that the plan names
  std::string ran;                 ///< the kernels that LibTorch's own profiler hook saw
  const int64_t* order = nullptr;  ///< whether the plan asked for a token order (of the destroyed plan: do not read)
};
Result run(const Backend& backend, const Problem& problem);

/// softmax(scale q k^T + bias) v by loops over float64 (Vaswani et al. 2017, equation 1). A query that sees no key
/// gives zeros.
at::Tensor formula(const Problem& problem);

/// |a - b| / |b| in the Euclidean norm. NaN and infinity are kept, so that no comparison passes with them.
double relative_error(const at::Tensor& a, const at::Tensor& b);

/// The largest relative_error of a right result.
double tolerance(at::ScalarType dtype);

}  // namespace fastvideo::torch_sdpa_test
