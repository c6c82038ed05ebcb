// The configuration of a scheduler. An absent key has the default of diffusers 0.42 and transformers 5. The reader
// refuses, by name and value, settings that this repository does not compute, so that every value in the struct is
// honoured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace fastvideo {

/// scheduler/scheduler_config.json.
struct SchedulerConfig {
  enum class Kind { unipc, flow_match_euler };
  enum class FinalSigma { zero, sigma_min };
  enum class SolverType { bh1, bh2 };

  Kind kind = Kind::unipc;
  int64_t num_train_timesteps = 1000;
  double shift = 1.0;                    ///< flow_shift of UniPC, shift of flow-match Euler
  std::optional<double> shift_terminal;  ///< the schedule is stretched to end at this sigma; never 0

  // UniPC only: flow prediction over flow sigmas, predict_x0, no thresholding.
  int64_t solver_order = 2;  ///< 1 to 3
  SolverType solver_type = SolverType::bh2;
  bool lower_order_final = true;
  std::vector<int64_t> disable_corrector;  ///< diffusers skips the corrector at step i if i - 1 is in the list
  FinalSigma final_sigmas_type = FinalSigma::zero;
};

/// Throws Refused naming the file, the key and its value.
SchedulerConfig read_scheduler_config(const std::filesystem::path& scheduler_config_json);

}  // namespace fastvideo
