#include "tools/bench/bench.hpp"

#include <algorithm>
#include <fstream>
#include <optional>

#include "host/console/text_table.hpp"
#include "host/error/error.hpp"
#include "host/log/log.hpp"
#include "host/run/peak_memory.hpp"
#include "host/run/run.hpp"

namespace fastvideo::host {
namespace {

// The most memory that a run takes of its device. On the CPU the highest resident size of the process, whose mark is
// set back first; what was resident before counts too.
class PeakOfRun {
 public:
  explicit PeakOfRun(const RunDevice& device) {
    if (device.is_cuda()) {
      on_device_.emplace(device);
      return;
    }
    // man 5 proc: 5 sets the high-water mark to the present resident size.
    std::ofstream file("/proc/self/clear_refs");
    file << "5" << std::flush;
    is_own_mark_ = file.good();
  }

  std::optional<uint64_t> bytes() const {
    if (on_device_) return on_device_->bytes();
    // A mark that could not be set back is that of an earlier run.
    const uint64_t resident = is_own_mark_ ? peak_host_memory() : 0;
    return resident > 0 ? std::optional(resident) : std::nullopt;
  }

 private:
  std::optional<PeakMemory> on_device_;
  bool is_own_mark_ = false;
};

// The passes of a run without caching, from the session that the pipeline offers to caching.
uint64_t passes_of(const PipelineEstimate& estimate) {
  if (estimate.cache == nullptr) return 0;
  const fv_cache_session_info& info = estimate.cache->get();
  return static_cast<uint64_t>(info.steps) * static_cast<uint64_t>(std::max(info.branches, 1));
}

std::vector<std::string> attention_of(const RunResult& result) {
  std::vector<std::string> uses;
  for (const AttentionUse& use : result.attention)
    uses.push_back(use.role + " " + use.backend + (use.kernel.empty() ? "" : " (" + use.kernel + ")"));
  return uses;
}

class Bench {
 public:
  Bench(BenchPlan plan, const ResolveSettings& resolve, const Catalog& catalog, const HostServices& host,
        bool keep_clips, const CancelToken& cancel)
      : resolve_(resolve), catalog_(catalog), host_(host), keep_clips_(keep_clips), cancel_(cancel) {
    result_.plan = std::move(plan);
    for (const BenchSetting& setting : result_.plan.settings)
      result_.outcomes.push_back({setting.name, {}, {}, {}, {}, {}});
  }

  BenchResult run() {
    for (size_t i = 0; i < settings(); ++i) require_possible(i);
    log_info("bench", "one untimed run of each of " + std::to_string(settings()) + " settings");
    for (const size_t i : order(0)) attempt(i, [&] { run_once(i, {0, 0}); });
    for (int64_t round = 0; round < result_.plan.rounds; ++round)
      for (const Case& one : cases())
        for (const size_t i : order(round)) attempt(i, [&] { time(i, one, round); });
    for (BenchOutcome& outcome : result_.outcomes)
      if (outcome.quality) finish(*outcome.quality);
    if (!result_.has_reference())
      for (BenchOutcome& outcome : result_.outcomes) outcome.quality.reset();
    return std::move(result_);
  }

 private:
  struct Case {
    size_t prompt, seed;
  };

  size_t settings() const { return result_.plan.settings.size(); }

  std::vector<Case> cases() const {
    std::vector<Case> all;
    for (size_t p = 0; p < result_.plan.prompts.size(); ++p)
      for (size_t s = 0; s < result_.plan.seeds.size(); ++s) all.push_back({p, s});
    return all;
  }

  // The reference runs first in the first round, since the other settings' frames are compared with its frames; every
  // second round runs backwards.
  std::vector<size_t> order(int64_t round) const {
    std::vector<size_t> all{result_.plan.reference};
    for (size_t i = 0; i < settings(); ++i)
      if (i != result_.plan.reference) all.push_back(i);
    if (round % 2 == 1) std::reverse(all.begin(), all.end());
    return all;
  }

  Settings settings_of(size_t i, const Case& one) const {
    std::vector<Given> given = result_.plan.settings[i].given;
    given.push_back({"request.prompt", result_.plan.prompts[one.prompt], Source::command_line("--prompt"), false});
    given.push_back({"request.seed", seed_value(result_.plan.seeds[one.seed]), Source::command_line("--seed"), false});
    return resolve_(given);
  }

  // All settings are checked before the first run.
  void require_possible(size_t i) {
    const Settings settings = settings_of(i, {0, 0});
    try {
      LoadedModel model(settings, catalog_, host_);
      CheckedRequest request(model, settings);
      if (const std::string shortage = request.memory_shortage(); !shortage.empty()) throw RequestError(shortage);
      if (i == result_.plan.reference) describe(request);
    } catch (const RequestError& e) {
      throw RequestError("setting '" + result_.plan.settings[i].name + "': " + e.what());
    }
  }

  void describe(const CheckedRequest& request) {
    if (request.cache() != nullptr)
      throw RequestError("the exact run cannot use caching (" + request.cache()->name() +
                         "); name another setting as `reference`");
    for (size_t site = 0; site < request.choices().size(); ++site) {
      const AttentionChoice& choice = request.choices()[site];
      if (choice.support.numerics == FV_NUMERICS_APPROXIMATE)
        throw RequestError("the exact run cannot use " + choice.item->item->full_name() + " at " +
                           request.estimate().sites[site].site->get().role +
                           ", which is approximate; put another backend first");
    }
    for (const auto& correction : request.estimate().corrections)
      log_warning("bench", correction.parameter + ": " + correction.used + " instead of " + correction.asked + ", " +
                               correction.why);
    result_.model = request.model().folder().path.filename().string();
    result_.device = request.model().device().name + " (" + request.model().device().description + ")";
    result_.is_cuda = request.model().device().is_cuda();
    for (const ItemSetting& parameter : request.request().parameters())
      result_.parameters.push_back({parameter.name, parameter.setting.value});
  }

  // A failure ends the setting; its measurements until then would be incomplete.
  template <class Body>
  void attempt(size_t i, Body&& body) {
    BenchOutcome& outcome = result_.outcomes[i];
    if (!outcome.failure.empty()) return;
    cancel_.throw_if_requested();
    try {
      body();
    } catch (const CancelledError&) {
      throw;
    } catch (const std::exception& e) {
      if (cancel_.requested()) throw CancelledError("cancelled");
      outcome.failure = e.what();
      outcome.runs.clear();
      outcome.quality.reset();
      outcome.clip = {};
      log_error("bench", "setting '" + outcome.name + "' failed: " + outcome.failure);
    }
  }

  struct Made {
    BenchRun run;
    Clip clip;
    std::vector<std::string> attention;
  };

  Made run_once(size_t i, const Case& one) {
    const Settings settings = settings_of(i, one);
    LoadedModel model(settings, catalog_, host_);
    CheckedRequest request(model, settings);
    FrameMemory memory;
    Made made;
    const PeakOfRun peak(model.device());
    const RunResult result = fastvideo::host::run(request, nullptr, memory, cancel_);
    made.run.seconds = result.seconds;
    made.run.peak_memory = peak.bytes();
    made.run.stages = result.stages;
    made.run.passes = request.cache() != nullptr ? result.passes_decided : passes_of(request.estimate());
    made.run.passes_computed = made.run.passes - result.passes_reused;
    made.clip = memory.take();
    made.attention = attention_of(result);
    return made;
  }

  void time(size_t i, const Case& one, int64_t round) {
    BenchOutcome& outcome = result_.outcomes[i];
    Made made = run_once(i, one);
    log_info("bench", "round " + std::to_string(round + 1) + " of " + std::to_string(result_.plan.rounds) + ": " +
                          outcome.name + ", " + readable_seconds(made.run.seconds));
    made.run.number = ++timed_;
    outcome.runs.push_back(std::move(made.run));
    outcome.attention = std::move(made.attention);
    if (round == 0) compare(i, one, std::move(made.clip));
  }

  void compare(size_t i, const Case& one, Clip clip) {
    BenchOutcome& outcome = result_.outcomes[i];
    const bool is_first = one.prompt == 0 && one.seed == 0;
    if (i == result_.plan.reference) {
      exact_ = std::move(clip);
      if (is_first && keep_clips_) outcome.clip = exact_;
      return;
    }
    if (!result_.has_reference()) return;
    if (!clip.view().same_shape(exact_.view()))
      throw std::runtime_error("its video is " + shape_of(clip) + ", that of the exact run " + shape_of(exact_) +
                               ": they cannot be compared");
    BenchQuality& quality = outcome.quality ? *outcome.quality : outcome.quality.emplace(BenchQuality{0, 0.0});
    quality.mean_squared_error += mean_squared_error(exact_.view(), clip.view());
    const std::optional<double> similarity = ssim(exact_.view(), clip.view());
    quality.ssim = similarity ? std::optional(quality.ssim.value_or(0) + *similarity) : std::nullopt;
    if (is_first && keep_clips_) outcome.clip = std::move(clip);
  }

  static std::string shape_of(const Clip& clip) {
    return std::to_string(clip.format.frame_count) + " frames of " + std::to_string(clip.format.width) + "x" +
           std::to_string(clip.format.height);
  }

  // Sums over the clips become means.
  void finish(BenchQuality& quality) const {
    const auto clips = static_cast<double>(result_.plan.prompts.size() * result_.plan.seeds.size());
    quality.mean_squared_error /= clips;
    if (quality.ssim) *quality.ssim /= clips;
  }

  const ResolveSettings& resolve_;
  const Catalog& catalog_;
  const HostServices& host_;
  const bool keep_clips_;
  const CancelToken& cancel_;
  BenchResult result_;
  size_t timed_ = 0;
  Clip exact_;  // the reference's clip of the current prompt and seed, in the first round
};

}  // namespace

BenchResult run_bench(BenchPlan plan, const ResolveSettings& resolve, const Catalog& catalog, const HostServices& host,
                      bool keep_clips, const CancelToken& cancel) {
  return Bench(std::move(plan), resolve, catalog, host, keep_clips, cancel).run();
}

}  // namespace fastvideo::host
