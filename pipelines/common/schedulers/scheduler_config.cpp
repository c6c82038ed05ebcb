#include "pipelines/common/schedulers/scheduler_config.hpp"

#include <string>

#include "pipelines/common/diffusers_folder/json_file.hpp"

namespace fastvideo {

SchedulerConfig read_scheduler_config(const std::filesystem::path& scheduler_config_json) {
  const JsonFile json(scheduler_config_json);
  json.require_one_of("_class_name", "", {"UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"},
                      "the schedulers here are UniPCMultistepScheduler and FlowMatchEulerDiscreteScheduler");
  for (const char* key : {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"})
    json.require_unset(key, "only flow sigmas are computed");
  json.require_unset("use_dynamic_shifting", "no mu to shift by is computed");

  SchedulerConfig config;
  const bool unipc = json.string("_class_name", "") == "UniPCMultistepScheduler";
  config.kind = unipc ? SchedulerConfig::Kind::unipc : SchedulerConfig::Kind::flow_match_euler;
  config.num_train_timesteps = json.integer("num_train_timesteps", config.num_train_timesteps, 1, 1'000'000);
  config.shift = json.positive(unipc ? "flow_shift" : "shift", config.shift);
  if (!json.is_null_or_absent("shift_terminal")) {
    const double terminal = json.number("shift_terminal", 0);
    if (!(terminal >= 0 && terminal < 1)) json.refuse("shift_terminal", "it must be from 0 to below 1");
    if (terminal != 0) config.shift_terminal = terminal;  // diffusers reads 0 as none
  }
  if (!unipc) {
    json.require_unset("invert_sigmas", "inverted sigmas are not computed");
    json.require_unset("stochastic_sampling", "stochastic sampling is not computed");
    return config;
  }

  json.require_one_of("prediction_type", "epsilon", {"flow_prediction"},
                      "the solver is that of flow prediction: flow_prediction");
  if (!json.boolean("use_flow_sigmas", false)) json.refuse("use_flow_sigmas is false: only flow sigmas are computed");
  json.require_unset("thresholding", "thresholding is not computed");
  json.require_unset("solver_p", "another solver as predictor is not computed");
  if (!json.boolean("predict_x0", true)) json.refuse("predict_x0", "only the solver on x0 is computed");
  json.require_one_of("solver_type", "bh2", {"bh1", "bh2", "midpoint", "heun", "logrho"},
                      "the solvers are bh1 and bh2");
  json.require_one_of("final_sigmas_type", "zero", {"zero", "sigma_min"}, "it must be zero or sigma_min");
  config.solver_order = json.integer("solver_order", config.solver_order, 1, 3);
  // diffusers treats the solver names of other schedulers as bh2.
  if (json.string("solver_type", "bh2") == "bh1") config.solver_type = SchedulerConfig::SolverType::bh1;
  config.lower_order_final = json.boolean("lower_order_final", config.lower_order_final);
  config.disable_corrector = json.integers("disable_corrector", {}, 0);
  if (json.string("final_sigmas_type", "zero") == "sigma_min")
    config.final_sigmas_type = SchedulerConfig::FinalSigma::sigma_min;
  return config;
}

}  // namespace fastvideo
