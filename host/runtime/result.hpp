// The result of a run, as the data of runtime.h.
#pragma once

#include <fastvideo/runtime.h>

#include <vector>

#include "host/run/peak_memory.hpp"
#include "host/run/run.hpp"
#include "host/runtime/texts.hpp"

/// Immutable; any thread. Needs nothing of the run once it is made.
struct fvr_result {
  /// `on_device`: of the run; null on the CPU.
  fvr_result(fastvideo::host::RunResult made, uint64_t seed, const fastvideo::host::PeakMemory* on_device);
  fvr_result(const fvr_result&) = delete;
  fvr_result& operator=(const fvr_result&) = delete;

  const fastvideo::host::RunResult run;  // the numbers that stages and branches point to
  fastvideo::host::Texts texts;
  fvr_result_info info{};
  std::vector<fvr_stage> stages;
  std::vector<fvr_attention_use> attention;
};
