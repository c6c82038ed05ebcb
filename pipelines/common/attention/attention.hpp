// How a model of this repository calls attention: through this seam alone, so that the backend stays somebody else's
// choice. In a run the seam is the host's attention service; in a test it is whatever the test needs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace fastvideo {

/// A place in a model from which attention is called, the same for all layers of its kind. The class that calls it
/// declares it from its configuration alone, so that it is known before a weight is read; the call names it.
struct AttentionSite {
  std::string name;  ///< one in a model: "text.clip", "dit.cross.image"; the role, where there is one of the role
  std::string role;  ///< "dit.self", "text.self" (fastvideo/attention.h lists them); sites may share one
  int64_t layers;
  int64_t heads;  ///< of the queries
  int64_t kv_heads;
  int64_t head_size;         ///< D
  double scale;              ///< softmax(scale * q k^T + bias) v
  uint32_t masks = 0;        ///< FV_MASK_*: what may stand between a query and a key; causal: it does in every call
  bool log_sum_exp = false;  ///< calls receive it
  int64_t total_heads = 0;   ///< of the model, where several processes share them; 0: `heads` are all

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
  at::Tensor key_lengths = {};        ///< undefined, or int32 [B] on q's device: keys from there on are not seen
  at::Tensor* log_sum_exp = nullptr;  ///< where the site asks for it: receives float32 [B, H, Lq], natural logarithm
  int64_t first_head = 0;             ///< number of the first head of these in the model
};

/// Runs attention calls. One thread at a time.
class Attention {
 public:
  virtual ~Attention() = default;

  /// Returns [B, Lq, H, D] in q's dtype. Throws std::logic_error for a call that its site does not declare,
  /// std::runtime_error with the backend's own words if it fails.
  virtual at::Tensor run(const AttentionCall& call) = 0;
};

/// Throws std::logic_error, naming site and fact, if a call is not as its site declares: shapes, layer, masks,
/// log-sum-exp. For implementations of the seam, before they compute.
void require_declared(const AttentionCall& call);

}  // namespace fastvideo
