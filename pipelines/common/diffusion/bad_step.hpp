// Who is to blame for latents that went bad.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/common/diffusion/latent_watch.hpp"

namespace fastvideo {

/// A step that went bad, and what is known of it.
struct BadStepFacts {
  LatentWatch::BadStep step;
  HostAttention& attention;
  const WatchedAttention& watched;  ///< of the step as it ran
  std::string strategy;             ///< the caching strategy that left out a part of it; empty: nothing was left out
  /// Predicts again what the step adds, computing everything. Throws std::runtime_error if it gives NaN or infinity.
  std::function<at::Tensor(Attention&)> predict;
};

/// Computes the step again with a look at every site, and says what is at fault: the backend of a site, the caching
/// strategy, or the model itself. What was right the second time is nobody's weights. Slow.
std::string reason_of(const BadStepFacts& bad);

/// The same for text embeddings that are not finite. watched: of the text encoders' calls, as step -1; encode: encodes
/// the prompts again, and says whether they are finite now.
std::string reason_of_text(const WatchedAttention& watched, HostAttention& attention,
                           const std::function<bool(Attention&)>& encode);

/// Who is to blame for what was wrong in `step` and right when it was done again ("the text was encoded").
std::string reason_of_once(const WatchedAttention& watched, int32_t step, const std::string& done);

}  // namespace fastvideo
