// `fastvideo bench`: the same videos under several settings, in one process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/calls/cancel.hpp"
#include "host/cli/tool.hpp"
#include "host/progress/stage_timer.hpp"
#include "host/services/host_services.hpp"
#include "tools/bench/frame_memory.hpp"
#include "tools/bench/plan.hpp"

namespace fastvideo::host {

/// One timed run.
struct BenchRun {
  std::vector<StageTime> stages;
  double seconds = 0;  ///< from the call of the pipeline to its last frame, loading included, writing left out
  uint64_t passes_computed = 0;  ///< forward passes of the transformer, one per step and branch
  uint64_t passes = 0;           ///< passes to decide; 0 if the pipeline does not say
  std::optional<uint64_t> peak_memory;
  size_t number = 0;  ///< index among the timed runs of the bench, from 1
};

/// How near the clips of a setting are to the exact ones, over all frames, prompts and seeds.
struct BenchQuality {
  double mean_squared_error = 0;
  std::optional<double> ssim;  ///< nothing for frames smaller than the window of SSIM
};

/// The outcome of one setting.
struct BenchOutcome {
  std::string name;
  std::vector<BenchRun> runs;
  std::string failure;                  ///< why a run failed; runs and quality are then empty
  std::optional<BenchQuality> quality;  ///< nothing for the reference, and if the reference failed
  std::vector<std::string> attention;   ///< "dit.self TORCH_SDPA/torch (math)"
  Clip clip;                            ///< of the first prompt and seed, if clips are kept
};

/// The measurements of a bench.
struct BenchResult {
  BenchPlan plan;
  std::string model;   ///< name of the folder
  std::string device;  ///< "cpu (AMD EPYC 9B14, 2 threads)"
  bool is_cuda = false;
  Value::Table parameters;             ///< of the request
  std::vector<BenchOutcome> outcomes;  ///< in the order of the plan's settings

  const BenchOutcome& reference() const { return outcomes[plan.reference]; }
  /// Whether figures that compare with the reference may be given.
  bool has_reference() const { return reference().failure.empty(); }
};

/// Checks every setting, then runs each once untimed and `rounds` times timed, for every prompt and seed; the order of
/// the settings is reversed from round to round. Pictures are compared in the first round. A run that fails ends its
/// setting but not the bench. `keep_clips`: fills BenchOutcome::clip. Throws RequestError if a setting is impossible or
/// the reference is not exact, CancelledError. [one thread: the loader's]
BenchResult run_bench(BenchPlan plan, const ResolveSettings& resolve, const Catalog& catalog, const HostServices& host,
                      bool keep_clips, const CancelToken& cancel);

}  // namespace fastvideo::host
