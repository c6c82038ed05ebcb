// How a model of this repository calls attention: through this seam alone, so that the model does not choose the
// backend. In a run the seam is the host's attention service; in a test, whatever attention the test needs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace fastvideo {

/// A place in a model from which attention is called, the same for all layers of its kind. The class that calls
/// attention there declares the site from its configuration alone, so that the site is known before a weight is read;
/// each call names its site.
struct AttentionSite {
  std::string name;  ///< unique in a model: "text.clip", "dit.cross.image"; the role, if only one site has it
  std::string role;  ///< "dit.self", "text.self" (fastvideo/attention.h lists them); sites may share one
  int64_t layers;
  int64_t heads;  ///< of the queries
  int64_t kv_heads;
  int64_t head_size;         ///< D
  double scale;              ///< softmax(scale * q k^T + bias) v
  uint32_t masks = 0;        ///< FV_MASK_*: masks that calls may have; causal: every call is causal
  bool log_sum_exp = false;  ///< calls receive the log-sum-exp
  int64_t total_heads = 0;   ///< heads of the whole model, if several processes share them; 0: `heads`

  bool operator==(const AttentionSite&) const = default;
};

/// One attention call. Site and tensors are borrowed for the call; last stride 1.
struct AttentionCall {
  const AttentionSite& site;
  int64_t layer;  ///< index of the calling layer among those of its site
  at::Tensor q;   ///< [B, Lq, H, D]
  at::Tensor k;   ///< [B, Lk, Hkv, D]
  at::Tensor v;   ///< [B, Lk, Hkv, D]
  /// Undefined, or four axes that broadcast to [B, H, Lq, Lk]: bool (true = seen) or added to scores.
  at::Tensor mask = {};
  at::Tensor key_lengths = {};        ///< undefined, or int32 [B] on q's device: keys from that index on are not seen
  at::Tensor* log_sum_exp = nullptr;  ///< if the site declares it: receives float32 [B, H, Lq], natural logarithm
  int64_t first_head = 0;             ///< index of the first of these heads in the model
};

/// Runs attention calls. One thread at a time.
class Attention {
 public:
  virtual ~Attention() = default;

  /// Returns [B, Lq, H, D] in q's dtype. Throws std::logic_error for a call that its site does not declare,
  /// std::runtime_error with the backend's own words if it fails.
  virtual at::Tensor run(const AttentionCall& call) = 0;
};

/// Throws std::logic_error, naming the site and the fault, if a call is not as its site declares: shapes, layer, masks,
/// log-sum-exp. Implementations of the seam call it before they compute.
void require_declared(const AttentionCall& call);

}  // namespace fastvideo
