// Attention that leaves out blocks of keys that weigh little, on the CPU, in plain code: shows the effect of select =
// "threshold" on a video without a GPU. It saves no time.
#pragma once

#include <fastvideo/tensor_view.hpp>

#include "plugins/attention/common/cpu/blocked.hpp"

namespace fastvideo::sparse {

/// Queries [first, first + count) of a head over keys in blocks of `width`, the last block first. A block that is not
/// the first is left out where the weight of every key, for every one of the queries, is less than `threshold` of the
/// largest so far of that query; with fewer than `group` queries no block is left out. dtype: of the job's tensors.
void attend_skipping(const cpu::Job& job, fv_dtype dtype, int64_t b, int64_t head, int64_t first, int64_t count,
                     int64_t group, int64_t width, double threshold);

}  // namespace fastvideo::sparse
