// An attention site with the shapes of a run, from which the host makes a plan.
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
  int64_t query_length;  ///< tokens at most; exact if there is a grid
  int64_t key_length;
  int64_t batch = 1;              ///< rows at most
  std::array<int64_t, 3> grid{};  ///< video tokens as (t, h, w), w fastest; zeros if the tokens are no grid
  int64_t tokens_before = 0;      ///< tokens tokens of the sequence before the grid's, and after them
  int64_t tokens_after = 0;
  int64_t steps = 0;  ///< steps of the denoising loop; 0: the site is called outside the loop
  int64_t runs = 0;   ///< calls in a whole run
};

/// The site as a struct of the ABI; borrows the site's strings.
fv_attention_site as_abi(const PlannedSite& planned);

/// Throws std::logic_error if a call is not as its site declares, or exceeds the planned lengths or batch.
void require_planned(const AttentionCall& call, const PlannedSite& planned);

}  // namespace fastvideo
