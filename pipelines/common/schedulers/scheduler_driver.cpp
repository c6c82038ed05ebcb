// Runs schedulers over whole loops for scheduler_parity.py: scheduler_driver CASES.json IN OUT.
// The model is a function that the script computes as well, so that errors feed back as they do in a real loop.
#include <ATen/ATen.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>

#include "pipelines/common/schedulers/scheduler.hpp"
#include "pipelines/common/testing/tensor_file.hpp"

namespace {

using fastvideo::SchedulerConfig;

SchedulerConfig config_of(const nlohmann::json& c) {
  SchedulerConfig config;
  config.num_train_timesteps = c.value("num_train_timesteps", config.num_train_timesteps);
  if (c.contains("shift_terminal")) config.shift_terminal = c["shift_terminal"].get<double>();
  if (c.at("class") == "FlowMatchEulerDiscreteScheduler") {
    config.kind = SchedulerConfig::Kind::flow_match_euler;
    config.shift = c.value("shift", config.shift);
    return config;
  }
  config.shift = c.value("flow_shift", config.shift);
  config.solver_order = c.value("solver_order", config.solver_order);
  if (c.value("solver_type", "bh2") == "bh1") config.solver_type = SchedulerConfig::SolverType::bh1;
  config.lower_order_final = c.value("lower_order_final", config.lower_order_final);
  config.disable_corrector = c.value("disable_corrector", config.disable_corrector);
  if (c.value("final_sigmas_type", "zero") == "sigma_min")
    config.final_sigmas_type = SchedulerConfig::FinalSigma::sigma_min;
  return config;
}

// A flow towards a moving target: v = (x - x_0) / sigma with x_0 = target + 0.3 sin(2 x + i).
at::Tensor model(const at::Tensor& x, const at::Tensor& target, int64_t i, double sigma) {
  return (x - (target + 0.3 * at::sin(2 * x + i))) / sigma;
}

}  // namespace

int main(int, char** argv) try {
  const nlohmann::json cases = nlohmann::json::parse(std::ifstream(argv[1]));
  const fastvideo::testing::TensorMap in = fastvideo::testing::read_tensors(argv[2]);
  fastvideo::testing::TensorMap out;
  for (const auto& c : cases) {
    const std::string name = c.at("name");
    const auto steps = c.at("steps").get<int64_t>();
    const auto scheduler = fastvideo::make_scheduler(config_of(c));
    for (int round = 0; round < 2; ++round) {  // the second round shows that a loop leaves no state behind
      scheduler->set_timesteps(steps);
      at::Tensor x = in.at("noise");
      for (int64_t i = 0; i < steps; ++i)
        x = scheduler->step(model(x, in.at("target"), i, scheduler->sigmas()[static_cast<size_t>(i)]), i, x);
      if (round == 1 && !at::equal(x, out.at(name + ".sample"))) throw std::logic_error(name + " kept state");
      out[name + ".sample"] = x;
    }
    out[name + ".sigmas"] = at::tensor(scheduler->sigmas()).to(at::kFloat);
    out[name + ".timesteps"] = at::tensor(scheduler->timesteps()).to(at::kFloat);
  }
  fastvideo::testing::write_tensors(argv[3], out);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
