#include "plugins/cache/teacache/policy.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace fastvideo::teacache {
namespace {

const CacheDecision& reuse() {  // the residual of the last computed step, added to the blocks' input
  static const CacheDecision decision = CacheDecision::combined({1.0, 1.0});
  return decision;
}

bool lists(const fv_cache_session_info& info, const std::string& signal, bool& early) {
  for (uint32_t i = 0; i < info.signal_count; ++i) {
    if (signal != info.signals[i]) continue;
    early = info.early[i] != 0;
    return true;
  }
  return false;
}

}  // namespace

bool Accumulator::advance(const Settings& settings, const Row& row, int32_t step, int32_t steps, int32_t expert,
                          double norm, double change) {
  const double relative = change / previous_norm_;
  const bool same_expert = expert == previous_expert_;
  previous_norm_ = norm;
  previous_expert_ = expert;
  // An expert's first step has no residual of that expert to reuse.
  if (step < settings.kept_first || step >= steps - settings.kept_last || !same_expert) return false;
  sum_ += row(relative);
  return sum_ < settings.threshold;  // false for NaN
}

Session::Session(const fv_cache_session_info& info, Settings settings, std::vector<const Row*> rows)
    : settings_(settings),
      rows_(std::move(rows)),
      expert_of_step_(info.expert_of_step, info.expert_of_step + info.steps),
      branches_(info.branches) {
  const char* signal = rows_.front()->signal.c_str();
  bool early = false;
  lists(info, signal, early);
  plan_.is_static = early;
  plan_.cut = {FV_CUT_BLOCKS, 0, info.blocks, 0};
  plan_.measures = {{signal, FV_NORM_L1, FV_MINUS_NOTHING}, {signal, FV_NORM_L1, FV_MINUS_PREVIOUS}};
  plan_.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
}

std::vector<CacheDecision> Session::schedule(std::span<const double> measurements) {
  const int32_t steps = static_cast<int32_t>(expert_of_step_.size());
  std::vector<CacheDecision> decisions;
  Accumulator accumulator;  // the signal is the same for every branch
  for (int32_t step = 0; step < steps; ++step) {
    const int32_t expert = expert_of_step_[static_cast<size_t>(step)];
    const double* measured = &measurements[static_cast<size_t>(step) * 2];
    const bool skip = accumulator.advance(settings_, *rows_[static_cast<size_t>(expert)], step, steps, expert,
                                          measured[0], measured[1]);
    if (!skip) accumulator.reset();
    decisions.insert(decisions.end(), static_cast<size_t>(branches_), skip ? reuse() : CacheDecision::computed());
  }
  return decisions;
}

CacheDecision Session::decide(const fv_cache_point& point, std::span<const double> measurements) {
  bool skip = true;  // only if every row of the pass may
  for (int32_t row = 0; row < point.batch; ++row) {
    const double* measured = &measurements[static_cast<size_t>(row) * 2];
    skip &= accumulators_[{point.branches[row], row}].advance(settings_, *rows_[static_cast<size_t>(point.expert)],
                                                              point.step, point.steps, point.expert, measured[0],
                                                              measured[1]);
  }
  if (skip) return reuse();
  for (int32_t row = 0; row < point.batch; ++row) accumulators_[{point.branches[row], row}].reset();
  return CacheDecision::computed();
}

TeaCache::TeaCache(const Options& options) {
  const fv_value* data = options.find("coefficients");
  if (data == nullptr) throw std::logic_error("the host handed over no coefficients: declare them in plugin.toml");
  if (const fv_value* calibrated = options.find("calibrated_coefficients"))  // outrank the shipped coefficients
    rows_ = read_rows(*calibrated, std::string(options.string("coefficients_file")));
  for (Row& row : read_rows(*data)) rows_.push_back(std::move(row));
  if (options.has("threshold")) threshold_ = options.number("threshold");
  if (options.has("use_ret_steps")) use_ret_steps_ = options.boolean("use_ret_steps");
  if (options.has("kept_first_steps")) kept_first_ = static_cast<int32_t>(options.integer("kept_first_steps"));
  if (options.has("kept_last_steps")) kept_last_ = static_cast<int32_t>(options.integer("kept_last_steps"));
  if (threshold_ && !(*threshold_ >= 0 && std::isfinite(*threshold_)))
    throw Refused("threshold " + std::to_string(*threshold_) + " is not a number from 0 on");
}

Settings TeaCache::settings_for(const Row& row) const {
  return {threshold_ ? *threshold_ : row.threshold.value_or(-1), kept_first_.value_or(row.use_ret_steps ? 5 : 1),
          kept_last_.value_or(row.use_ret_steps ? 0 : 1)};
}

std::string TeaCache::refuses(const fv_cache_session_info& info) const {
  if ((info.cuts & FV_CUT_BLOCKS) == 0) return "this pipeline offers no blocks to leave out";
  const Choice choice = choose(rows_, info, use_ret_steps_);
  if (!choice.refusal.empty()) return choice.refusal;
  const Row& row = *choice.rows.front();
  bool early = false;
  if (!lists(info, row.signal, early))
    return "the coefficients for '" + row.model + "' were fitted to " + row.signal +
           ", which this pipeline does not measure";
  const Settings settings = settings_for(row);
  if (settings.threshold < 0)
    return "the coefficients for '" + row.model + "' come without a default threshold: give --teacache-threshold";
  const int32_t kept = settings.kept_first + settings.kept_last;
  if (kept >= info.steps)
    return std::to_string(info.steps) + " steps leave nothing to skip: the first " +
           std::to_string(settings.kept_first) + " and the last " + std::to_string(settings.kept_last) +
           " are always computed; ask for " + std::to_string(kept + 1) +
           " steps or more, or lower kept_first_steps and kept_last_steps";
  return {};
}

std::unique_ptr<CacheSession> TeaCache::open(const fv_cache_session_info& info) {
  Choice choice = choose(rows_, info, use_ret_steps_);
  const Settings settings = settings_for(*choice.rows.at(0));
  return std::make_unique<Session>(info, settings, std::move(choice.rows));
}

}  // namespace fastvideo::teacache
