// The denoising loop of the tiny model, and each strategy's algorithm written straight into it: the oracle of the test.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "tests/mmdit_cache/mmdit.hpp"

namespace fastvideo::testing {

/// What is denoised, and how the branches of guidance run.
struct Loop {
  int32_t steps = 12;
  int64_t videos = 1;
  bool guided = true;
  bool at_once = true;  ///< guidance as one batch; else a pass for each branch

  double sigma(int32_t step) const { return 1.0 - static_cast<double>(step) / steps; }
};

/// A forward pass of one step: the branch of each row, and what goes into the model.
struct PassInputs {
  int32_t step;
  int32_t lane;  ///< which of the step's passes
  std::vector<int32_t> rows;
  at::Tensor latents, text, sigma;
};

/// Velocity of one pass, [rows, tokens, channels].
using RunPass = std::function<at::Tensor(const PassInputs& inputs)>;

/// From noise of `seed` to latents, by Euler's method with guidance.
at::Tensor denoise(const Loop& loop, uint64_t seed, const RunPass& run);

/// What an algorithm ends with: latents, and for each pass in order whether its blocks were left out.
struct Plain {
  at::Tensor latents;
  std::vector<bool> left_out;
};

Plain run_exact(const Mmdit& model, const Loop& loop, uint64_t seed);

/// Liu et al. 2024, equation 6, by the modulated input of block 0; the first and the last step are computed. With
/// several rows a step is left out if every row would be.
Plain run_teacache(const Mmdit& model, const Loop& loop, uint64_t seed, const std::array<double, 5>& polynomial,
                   double threshold);

/// ParaAttention's first-block cache, by the residual of the image stream.
Plain run_first_block(const Mmdit& model, const Loop& loop, uint64_t seed, double threshold);

}  // namespace fastvideo::testing
