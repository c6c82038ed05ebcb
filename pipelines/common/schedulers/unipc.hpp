// UniPC (Zhao et al. 2023, arXiv 2302.04867) for flow matching: a multistep predictor, and a corrector that uses the
// model's answer at the predicted point, so that one more order costs no further forward pass.
#pragma once

#include <deque>
#include <vector>

#include "pipelines/common/schedulers/scheduler.hpp"

namespace fastvideo {

/// Data prediction (predict_x0), B(h) = h or e^h - 1. Coefficients are computed in float64 on the host.
class UniPCMultistepScheduler final : public Scheduler {
 public:
  /// Throws Refused for settings that have no finite last step.
  explicit UniPCMultistepScheduler(SchedulerConfig config);

 private:
  Schedule lay_out(int64_t steps) const override;
  void reset() override;
  at::Tensor advance(const at::Tensor& velocity, int64_t i, const at::Tensor& sample) override;

  SchedulerConfig config_;
  std::deque<at::Tensor> denoised_;  ///< predictions of x_0 at the last steps, newest first, solver_order at most
  at::Tensor last_sample_;           ///< the corrected sample of the step before
  int64_t last_order_ = 0;           ///< order of the predictor step from last_sample_
};

inline constexpr int64_t kMaxUniPCOrder = 3;  ///< highest order whose update is implemented

/// The weights of a UniPC update's inputs: x_t = sample x_s + sum_k denoised[k] m_k + target m_t.
struct UniPCWeights {
  double sample = 0;
  std::vector<double> denoised;  ///< of the predictions at s0, s1, ... (newest first)
  double target = 0;             ///< of the prediction at t itself; 0 in a predictor
};

/// The weights of one update from sigmas[0] to sigma_t; sigmas: of the known predictions, newest first, `order` of
/// them. corrector: also the prediction at sigma_t is known (UniC), otherwise UniP. Equations 3 and 5 of the paper with
/// B(h) of the configuration; order 1 of UniC and order 2 of UniP have the weight 1/2, as in the paper's code and
/// diffusers.
UniPCWeights unipc_weights(double sigma_t, const std::vector<double>& sigmas, bool corrector,
                           SchedulerConfig::SolverType solver);

}  // namespace fastvideo
