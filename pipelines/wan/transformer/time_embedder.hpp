// The transformer's embedding of the time. It depends on the time alone, so caching strategies can plan by it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "pipelines/common/layers/linear.hpp"
#include "pipelines/common/weights/weights.hpp"
#include "pipelines/wan/folder/transformer_config.hpp"

namespace fastvideo::wan {

/// The embeddings of a batch of times.
struct TimeEmbedding {
  at::Tensor embed;  ///< float32 [B, dim]: signal time.embed
  at::Tensor proj;   ///< float32 [B, 6, dim]: signal time.proj
};

/// Immutable after construction.
class TimeEmbedder {
 public:
  /// Takes the time embedder's weights out of the transformer's. The embedding stays in float32, as in diffusers.
  TimeEmbedder(const WanTransformerConfig& config, Weights& weights, Placement placement);

  /// timestep: [B], in units of training (0..1000), any device.
  TimeEmbedding operator()(const at::Tensor& timestep) const;

 private:
  int64_t frequencies_;
  int64_t dim_;
  Placement placement_;
  Linear first_, second_, projection_;
};

}  // namespace fastvideo::wan
