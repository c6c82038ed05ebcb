// Runs a caching strategy on tensors: measures the norms that the strategy asks for, keeps its slots, and combines them
// where the strategy leaves a cut out. Pipelines drive the cache; strategies see numbers only (fastvideo/cache.h).
#pragma once

#include <ATen/core/Tensor.h>
#include <fastvideo/cache.h>

#include <cstdint>
#include <deque>
#include <fastvideo/core.hpp>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/common/readback/readback.hpp"

namespace fastvideo {

/// The facts of a session that a pipeline offers a strategy, owned.
struct CacheOffer {
  uint32_t cuts = 0;  ///< FV_CUT_*
  std::string model;  ///< configuration key, empty if unknown
  std::string preset;
  int32_t branches = 1;
  int32_t branches_at_once = 1;
  int32_t blocks = 0;
  std::vector<std::string> signals;
  std::vector<uint8_t> early;           ///< [signals]: 1 if the signal's norms over all steps are known before the loop
  std::vector<double> sigmas;           ///< [steps + 1]
  std::vector<double> timesteps;        ///< [steps]
  std::vector<int32_t> expert_of_step;  ///< [steps]
};

/// The C struct of an offer; borrows it.
class CacheSessionInfo {
 public:
  explicit CacheSessionInfo(const CacheOffer& offer);
  CacheSessionInfo(const CacheSessionInfo&) = delete;
  CacheSessionInfo& operator=(const CacheSessionInfo&) = delete;
  const fv_cache_session_info* get() const { return &info_; }

 private:
  std::vector<const char*> signals_;
  fv_cache_session_info info_{};
};

/// Early signals over all steps of a run, by name: [steps] tensors for each.
using EarlySignals = std::map<std::string, std::vector<at::Tensor>, std::less<>>;

/// Norms of early signals as a strategy's schedule reads them, [steps][measures]; NaN where there is nothing to
/// subtract. Waits for the device once. Every measured signal must be among `signals`.
std::vector<double> early_norms(std::span<const fv_cache_measure> measures, const EarlySignals& signals, size_t steps);

/// The tensors that cross a cut, [rows, ...]: one, or one for each stream of a model with several (image and text).
using Streams = std::vector<at::Tensor>;

/// One forward pass, in the order in which a pipeline calls:
///
///   begin(step, rows);  measure(...) of the signals before the cut;  decide()
///     true:   run the cut, keep(input, output)
///     false:  combine(base) in its place
///   measure(...) of the later signals;  end()
///
/// and finish() once after the last pass of all.
///
/// A pass has rows of one branch, or of all branches if the offer says that they run at once; a branch has the same
/// rows in each step. Tensors passed to StepCache are kept, not copied: they must not be written to afterwards. One
/// thread at a time.
class StepCache {
 public:
  /// The strategy that the user chose; nullptr when caching is off. Throws Refused with the strategy's reason if it
  /// does not support the session, std::runtime_error if it asks for a signal or cut that the offer does not have.
  static std::unique_ptr<StepCache> open(const Host& run, CacheOffer offer, StartReadback start = start_readback);
  ~StepCache();
  StepCache(const StepCache&) = delete;
  StepCache& operator=(const StepCache&) = delete;

  const fv_cache_cut& cut() const { return plan_.cut; }
  /// Public name of the strategy.
  const char* strategy() const { return service_.strategy; }

  /// Whether measure(signal, ...) has any effect. A signal that is not wanted need not be computed.
  bool wants(std::string_view signal) const;

  /// Takes all early signals that are measured. Call it once, before the first begin(); it completes the schedule of a
  /// static strategy.
  void schedule(const EarlySignals& signals);

  /// rows: the branch of each batch row.
  void begin(int32_t step, std::span<const int32_t> rows);
  /// A pass of one row.
  void begin(int32_t step, int32_t branch) { begin(step, {&branch, 1}); }
  /// x: [rows, ...]
  void measure(std::string_view signal, const at::Tensor& x);
  /// True: compute the cut. Unless the strategy is static, waits once for all measures: for one event.
  bool decide();
  /// The replacement of the cut's output: sum_i c_i slot_i + c_base base for each stream, in base's dtype. For
  /// FV_CUT_BRANCH base is the other branch's output of this step, otherwise the cut's input.
  Streams combine(const Streams& base);
  at::Tensor combine(const at::Tensor& base) { return combine(Streams{base}).front(); }
  /// Stores what the slots need of a computed cut; for FV_CUT_BRANCH: of every branch.
  void keep(const Streams& input, const Streams& output);
  void keep(const at::Tensor& input, const at::Tensor& output) { keep(Streams{input}, Streams{output}); }
  void end();
  /// Lets the strategy observe the last computed pass; waits for its measures. Every computed pass is observed
  /// afterwards.
  void finish();

  /// Number of cuts left out so far.
  int64_t reused() const { return reused_; }

 private:
  using Signals = std::map<std::string, at::Tensor, std::less<>>;
  // The state of the passes of one branch, or of all branches if they run at once.
  struct Lane {
    std::vector<int32_t> rows;              // the branch of each
    Signals previous;                       // at the step before
    Signals last_computed;                  // at the last step whose cut was computed
    Signals current;                        // of this pass
    Streams output;                         // of the cut, at the step in hand
    std::vector<std::deque<Streams>> kept;  // [histories_], newest first
  };
  // The history that slots share which differ only in how far they look back.
  struct History {
    uint32_t keep;
    int32_t other_branch;
    size_t depth;
  };
  struct Observation {
    int32_t step;
    const std::vector<int32_t>* rows;
    std::vector<at::Tensor> norms;
  };

  StepCache(const fv_cache_service& service, CacheOffer offer, StartReadback start);
  void check_offer() const;
  void check_plan() const;
  void plan_histories();
  bool concerns_pass() const;
  bool scheduled_for_all();
  at::Tensor norm(const fv_cache_measure& measure, const at::Tensor& x) const;
  void tell(std::span<const double> observed);
  void ask(std::span<const double> values);
  fv_cache_point point_at(int32_t step, const std::vector<int32_t>& rows) const;
  at::Tensor combined(const at::Tensor& base, size_t stream) const;
  Streams kept_of(const History& history, const Streams& input, const Streams& output) const;

  const fv_cache_service& service_;
  CacheOffer offer_;
  StartReadback start_;
  fv_cache_session* session_ = nullptr;
  fv_cache_plan plan_{};
  std::span<const fv_cache_measure> measures_;
  std::span<const fv_cache_slot> slots_;
  std::vector<History> histories_;
  std::vector<size_t> history_of_slot_;
  bool wants_outputs_ = false;               // a slot holds the difference of two branches
  std::vector<fv_cache_decision> schedule_;  // [steps][branches], of a static strategy
  std::vector<double> coefficients_;         // those of schedule_, or of the pass: slots, then base

  std::vector<Lane> lanes_;
  Lane* lane_ = nullptr;  // of the pass
  int32_t step_ = -1;
  bool computing_ = true;
  const double* combination_ = nullptr;
  std::vector<at::Tensor> norms_;  // [measures] of [rows], on the device; undefined if not known yet
  std::optional<Observation> observation_;
  int64_t reused_ = 0;
};

}  // namespace fastvideo
