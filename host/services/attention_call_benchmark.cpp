// What the host adds to a call of attention: the service against the plugin's own function.
#include <benchmark/benchmark.h>

#include <fastvideo/core.hpp>

#include "host/services/attention_session.hpp"

namespace fastvideo::host {
namespace {

fv_status do_nothing(fv_attention_plan*, const fv_attention_args* args, fv_text*) {
  benchmark::DoNotOptimize(args);
  return FV_OK;
}

// A binding as open() makes it, over a plan whose function does nothing.
struct Bound {
  Bound() {
    binding.run = do_nothing;
    binding.abi.handle = &binding;
    args.struct_size = sizeof args;
    args.q = args.k = args.v = args.out = &nothing;
  }
  AttentionBinding binding;
  fv_tensor nothing{};
  fv_attention_args args{};
  TextBuffer text;
};

void plugin_alone(benchmark::State& state) {
  Bound bound;
  auto run = bound.binding.run;
  benchmark::DoNotOptimize(run);
  for (auto _ : state) benchmark::DoNotOptimize(run(nullptr, &bound.args, bound.text.get()));
}
BENCHMARK(plugin_alone);

void through_the_service(benchmark::State& state) {
  Bound bound;
  const CallNote pipeline({"run", "a pipeline", nullptr});  // which calls attention
  const fv_attention_service service = AttentionService::functions();
  for (auto _ : state)
    benchmark::DoNotOptimize(service.run(service.context, &bound.binding.abi, &bound.args, bound.text.get()));
}
BENCHMARK(through_the_service);

}  // namespace
}  // namespace fastvideo::host

BENCHMARK_MAIN();
