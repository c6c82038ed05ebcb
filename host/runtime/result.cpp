#include "host/runtime/result.hpp"

#include "host/runtime/handles.hpp"
#include "host/runtime/sized.hpp"

using namespace fastvideo::host;  // NOLINT(google-build-using-namespace)

fvr_result::fvr_result(RunResult made, uint64_t seed, const PeakMemory* on_device) : run(std::move(made)) {
  for (const StageTime& stage : run.stages)
    stages.push_back({0, static_cast<uint32_t>(stage.step_seconds.size()), texts.keep(stage.name), stage.seconds,
                      stage.step_seconds.data(), stage.bytes});
  for (const AttentionUse& use : run.attention)
    attention.push_back({0, 0, texts.keep(use.role), texts.keep(use.backend), texts.keep(use.kernel),
                         texts.keep(use.library), use.calls});
  info.stage_count = static_cast<uint32_t>(stages.size());
  info.attention_count = static_cast<uint32_t>(attention.size());
  info.branch_count = static_cast<uint32_t>(run.left_out.size());
  info.width = run.format.width;
  info.height = run.format.height;
  info.frame_count = run.format.frame_count;
  info.fps_numerator = run.format.fps_numerator;
  info.fps_denominator = run.format.fps_denominator;
  info.seconds = run.seconds;
  info.seed = seed;
  info.passes_decided = run.passes_decided;
  info.passes_reused = run.passes_reused;
  info.peak_host_bytes = peak_host_memory();
  if (on_device != nullptr) {
    info.peak_device_bytes = on_device->bytes().value_or(0);
    info.device_bytes_before = on_device->before();
  }
  info.prompt = run.prompt.c_str();
}

void fvr_result_close(fvr_result* result) { delete result; }

fvr_status fvr_result_describe(const fvr_result* result, fvr_result_info* info, fvr_error* error) {
  return guarded(error, [&] { write_sized(required(result, "result").info, info, "fvr_result_info"); });
}

fvr_status fvr_result_stage(const fvr_result* result, uint32_t index, fvr_stage* stage, fvr_error* error) {
  return guarded(error,
                 [&] { write_sized(entry(required(result, "result").stages, index, "stage"), stage, "fvr_stage"); });
}

fvr_status fvr_result_attention(const fvr_result* result, uint32_t index, fvr_attention_use* use, fvr_error* error) {
  return guarded(error, [&] {
    write_sized(entry(required(result, "result").attention, index, "use of attention"), use, "fvr_attention_use");
  });
}

fvr_status fvr_result_left_out(const fvr_result* result, uint32_t branch, const int32_t** steps, uint32_t* count,
                               fvr_error* error) {
  return guarded(error, [&] {
    const auto& left_out = entry(required(result, "result").run.left_out, branch, "branch");
    required(count, "count") = static_cast<uint32_t>(left_out.size());
    required(steps, "steps") = left_out.data();
  });
}
