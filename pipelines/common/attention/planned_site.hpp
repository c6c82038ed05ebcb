// An attention site with what a run makes of it: what the host plans.
#pragma once

#include <ATen/core/Tensor.h>
#include <fastvideo/attention.h>

#include <array>
#include <cstdint>

#include "pipelines/common/attention/attention.hpp"

namespace fastvideo {

/// A site in a run.
struct PlannedSite {
  AttentionSite site;
  at::Device device;
  at::ScalarType dtype;  ///< of q, k, v and the result
  int64_t query_length;  ///< tokens at most; of a grid, exactly
  int64_t key_length;
  int64_t batch = 1;              ///< rows at most
  std::array<int64_t, 3> grid{};  ///< video tokens as (t, h, w), w fastest; zeros if they are no grid
  int64_t tokens_before = 0;      ///< of the sequence before the grid's, and after them
  int64_t tokens_after = 0;
  int64_t steps = 0;  ///< of all calls inside the denoising loop; 0: it is called outside of it
  int64_t runs = 0;   ///< calls in a whole run
};

/// As the ABI says it; borrows the site's strings.
fv_attention_site as_abi(const PlannedSite& planned);

/// Throws std::logic_error if a call is not one that its site declares, or exceeds what was planned.
void require_planned(const AttentionCall& call, const PlannedSite& planned);

}  // namespace fastvideo
