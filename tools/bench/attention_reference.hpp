// Attention in float64 for a sample of query rows, so that shapes of any size can be checked.
#pragma once

#include <fastvideo/core.hpp>
#include <vector>

#include "sdk/testing/element.hpp"
#include "tools/bench/attention_shape.hpp"

namespace fastvideo::host {

/// `count` numbers of about normal distribution, drawn from `seed` on the host's threads.
testing::Elements normal_elements(size_t count, fv_dtype dtype, uint64_t seed, const Host& host);

/// Inputs of one call: q [B, Lq, H, D], k and v [B, Lk, H, D], dense, of about normal distribution.
struct AttentionInputs {
  testing::Elements q, k, v;
  AttentionInputs(const AttentionShape& shape, fv_dtype dtype, uint64_t seed, const Host& host);
};

/// A query row: its place, and the output of attention there.
struct ReferenceRow {
  int64_t batch = 0, query = 0, head = 0;
  std::vector<double> out;  ///< D numbers
};

/// softmax(scale * q k^T) v for `count` rows drawn from `seed`, the first and the last row among them.
std::vector<ReferenceRow> reference_rows(const AttentionShape& shape, const AttentionInputs& inputs, double scale,
                                         size_t count, uint64_t seed, const Host& host);

/// The error of an output against the reference.
struct AttentionError {
  double relative = 0;  ///< L2 norm of the difference over that of the reference, over all sampled rows
  double largest = 0;   ///< largest difference of one element
};

/// Compares `out` [B, Lq, H, D]. Throws std::runtime_error if any element of out, sampled or not, is not finite:
/// elements that a backend leaves unwritten are NaN.
AttentionError compare(const AttentionShape& shape, const testing::Elements& out, const std::vector<ReferenceRow>& rows,
                       const Host& host);

}  // namespace fastvideo::host
