// One forward pass of a transformer, in the pieces that a caching strategy can leave out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/diffusion/signals.hpp"

namespace fastvideo {

/// A pass of one model on latents at a time: embed, blocks in order, head. Each piece publishes its signals to the
/// observer, nullptr for none. One thread at a time.
class ModelPass {
 public:
  virtual ~ModelPass() = default;

  /// [rows, C, T, H, W]: signal latent.in.
  virtual const at::Tensor& latents() const = 0;
  virtual int64_t blocks() const = 0;

  /// Called first: computes the embeddings that the blocks read.
  virtual void embed(SignalObserver* observer) = 0;
  /// Runs blocks [first, last).
  virtual void run_blocks(int64_t first, int64_t last, Attention& attention, SignalObserver* observer) = 0;
  /// The prediction, [rows, C, T, H, W] in the model's dtype: signal model.out.
  virtual at::Tensor head(SignalObserver* observer) = 0;

  /// Signal block.N.modulated without running the block: some strategies decide by it whether to run the block.
  virtual at::Tensor modulated_input(int64_t block) const = 0;

  /// The streams behind the last block that ran, the video's stream first; the tensors are not written to afterwards.
  virtual Streams streams() const = 0;
  /// Replaces the streams.
  virtual void replace(Streams streams) = 0;
};

/// Runs a whole pass.
at::Tensor run_whole(ModelPass& pass, Attention& attention, SignalObserver* observer = nullptr);

}  // namespace fastvideo
