// Finds the cause of bad latents: a backend, the caching strategy, or the model.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/common/diffusion/latent_watch.hpp"

namespace fastvideo {

/// The facts of a step that gave bad latents.
struct BadStepFacts {
  LatentWatch::BadStep step;
  HostAttention& attention;
  const WatchedAttention& watched;  ///< the calls the calls of the step as it ran
  std::string strategy;             ///< the caching strategy that left out a part of it; empty: nothing was left out
  /// Repeats the step's prediction with nothing left out. Throws std::runtime_error if it gives NaN or infinity.
  std::function<at::Tensor(Attention&)> predict;
};

/// Computes the step again with a check at every site, and names the cause: the backend of a site, the caching
/// strategy, or the model itself. If the second run is right, the weights are not at fault. Slow.
std::string reason_of(const BadStepFacts& bad);

/// The same for text embeddings that are not finite. watched: the text encoders' calls, as step -1; encode: encodes the
/// prompts again and returns whether the embeddings are finite now.
std::string reason_of_text(const WatchedAttention& watched, HostAttention& attention,
                           const std::function<bool(Attention&)>& encode);

/// The cause of a fault in `step` that was gone when the work was repeated; done: that work ("the text was encoded").
std::string reason_of_once(const WatchedAttention& watched, int32_t step, const std::string& done);

}  // namespace fastvideo
