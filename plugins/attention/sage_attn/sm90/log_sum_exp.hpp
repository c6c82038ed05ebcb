// What the log-sum-exp of scores of smoothed keys lacks.
#pragma once

#include "plugins/attention/sage_attn/sm90/launch.hpp"

namespace fastvideo::sage {

/// Adds scale * q . mean(k) to the log-sum-exp of each query, after launch on the same stream, with its workspace as
/// it was left: softmax does not see what all scores of a row lost with the keys' mean, their sum does.
/// Nothing without smooth_k or log_sum_exp. Throws std::runtime_error.
void add_mean_scores(const Quantiser& quantiser, const hopper::Call& call, void* workspace, CUstream_st* stream);

}  // namespace fastvideo::sage
