// What a run leaves behind beside its video: the metadata inside the file, and --perf-json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/request/checked_request.hpp"
#include "host/run/peak_memory.hpp"
#include "host/run/run.hpp"

namespace fastvideo::host {

/// A video that was made, with what it took.
struct MadeVideo {
  std::string output;
  RunResult result;
  double seconds = 0;  ///< from the call of generate, or from the end of the video before
};

/// "title": the prompt; "comment": one line of JSON with prompt, seed, model, parameters, backend of each role, caching
/// strategy, device and versions. It names no folder.
std::vector<std::pair<std::string, std::string>> video_metadata(const CheckedRequest& request);

/// The text of --perf-json. Keys: schema (1); versions {fastvideo, abi, torch: what the pipeline was built for, ffmpeg:
/// absent if not used, plugins {id: version}}; hardware {device, description, why, cpu, threads, memory_bytes, driver};
/// model {name, folder, class, preset, pipeline, file}; settings {path: {value, source}}; memory {peak_host_bytes,
/// on CUDA peak_device_bytes and device_bytes_before (of all processes, NVML), estimated {stage: bytes}}; videos, a
/// list of {output, width, height, frames, fps, prompt, seed, seed_drawn, seconds, stages [{name, seconds, steps,
/// step_seconds}], attention [{role, backend, kernel, file, calls}], caching {strategy, passes, computed, reused, and
/// with a strategy left_out: for each branch its steps, 1 the first}}. `on_device`: the watch over a CUDA device;
/// nullptr on the CPU.
std::string perf_json(const CheckedRequest& request, const std::vector<MadeVideo>& videos, const PeakMemory* on_device);

}  // namespace fastvideo::host
