// How a model of this repository calls attention: through this seam alone, so that the backend stays somebody else's
// choice. In a run the seam is the host's attention service; in a test it is whatever the test needs.
#pragma once

#include <ATen/core/Tensor.h>

namespace fastvideo {

/// One attention call. Tensors are borrowed for the call; last stride 1.
struct AttentionCall {
  const char* role;  ///< "dit.self", "dit.cross", "text.self", "vae.mid" (fastvideo/attention.h lists them)
  int layer;         ///< index of the calling layer among those of its role
  at::Tensor q;      ///< [B, Lq, H, D]
  at::Tensor k;      ///< [B, Lk, Hkv, D]
  at::Tensor v;      ///< [B, Lk, Hkv, D]
  at::Tensor bias;   ///< undefined, or broadcastable to [B, H, Lq, Lk]: bool (true = attend) or added to the scores
  double scale;      ///< softmax(scale * q k^T + bias) v
};

/// Runs attention calls. One thread at a time.
class Attention {
 public:
  virtual ~Attention() = default;

  /// Returns [B, Lq, H, D] in q's dtype. Throws std::runtime_error with the backend's own words if it fails.
  virtual at::Tensor run(const AttentionCall& call) = 0;
};

}  // namespace fastvideo
