// The correction of the log-sum-exp for smoothed keys.
#pragma once

#include "plugins/attention/sage_attn/sm90/launch.hpp"

namespace fastvideo::sage {

/// Adds scale * q . mean(k) to the log-sum-exp of each query, after launch on the same stream, with the workspace
/// unchanged: subtracting the keys' mean shifts all scores of a row alike, which softmax does not see but their sum
/// does. Nothing without smooth_k or log_sum_exp. Throws std::runtime_error.
void add_mean_scores(const Quantiser& quantiser, const hopper::Call& call, void* workspace, CUstream_st* stream);

}  // namespace fastvideo::sage
