#include "pipelines/common/cache/step_cache.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace fastvideo {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// The numbers of device vectors, concatenated, with one wait at most. An undefined vector counts as `missing` NaNs.
std::vector<double> read(std::span<const at::Tensor> vectors, size_t missing, const StartReadback& start) {
  std::vector<at::Tensor> known;
  for (const at::Tensor& vector : vectors)
    if (vector.defined()) known.push_back(vector.reshape({-1}));
  std::vector<double> numbers;
  if (known.empty()) {
    numbers.assign(vectors.size() * missing, kUnknown);
    return numbers;
  }
  const std::unique_ptr<Readback> readback = start(at::cat(known));
  const float* next = readback->values().data();
  for (const at::Tensor& vector : vectors) {
    const size_t count = vector.defined() ? static_cast<size_t>(vector.numel()) : missing;
    for (size_t i = 0; i < count; ++i) numbers.push_back(vector.defined() ? *next++ : kUnknown);
  }
  return numbers;
}

// The mean of |x| or the root of the mean of x^2 over all elements of each row, float32 [rows].
at::Tensor norm_of(const at::Tensor& x, uint32_t norm) {
  const at::Tensor rows = x.to(at::kFloat).reshape({x.size(0), -1});
  return norm == FV_NORM_L2 ? rows.square().mean(1).sqrt() : rows.abs().mean(1);
}

// [measures][rows] as [rows][measures].
std::vector<double> by_row(std::span<const double> numbers, size_t measures, size_t rows) {
  std::vector<double> turned(numbers.size());
  for (size_t i = 0; i < measures; ++i)
    for (size_t row = 0; row < rows; ++row) turned[row * measures + i] = numbers[i * rows + row];
  return turned;
}

}  // namespace

std::vector<double> early_norms(std::span<const fv_cache_measure> measures, const EarlySignals& signals, size_t steps) {
  std::vector<at::Tensor> norms(steps * measures.size());
  for (size_t step = 0; step < steps; ++step) {
    for (size_t i = 0; i < measures.size(); ++i) {
      const fv_cache_measure& measure = measures[i];
      const std::vector<at::Tensor>& x = signals.at(measure.signal);
      // The schedule decides which steps are computed, so there is no last computed step yet.
      if (measure.minus == FV_MINUS_LAST_COMPUTED || (measure.minus == FV_MINUS_PREVIOUS && step == 0)) continue;
      const at::Tensor value = measure.minus == FV_MINUS_PREVIOUS ? x[step] - x[step - 1] : x[step];
      norms[step * measures.size() + i] = norm_of(value, measure.norm);
    }
  }
  return read(norms, 1, start_readback);
}

CacheSessionInfo::CacheSessionInfo(const CacheOffer& offer) {
  for (const std::string& signal : offer.signals) signals_.push_back(signal.c_str());
  info_.struct_size = sizeof(info_);
  info_.cuts = offer.cuts;
  info_.model = offer.model.c_str();
  info_.preset = offer.preset.c_str();
  info_.steps = static_cast<int32_t>(offer.timesteps.size());
  info_.branches = offer.branches;
  info_.branches_at_once = offer.branches_at_once;
  info_.blocks = offer.blocks;
  info_.experts = 1 + *std::max_element(offer.expert_of_step.begin(), offer.expert_of_step.end());
  info_.signal_count = static_cast<uint32_t>(signals_.size());
  info_.signals = signals_.data();
  info_.early = offer.early.data();
  info_.sigmas = offer.sigmas.data();
  info_.timesteps = offer.timesteps.data();
  info_.expert_of_step = offer.expert_of_step.data();
}

std::unique_ptr<StepCache> StepCache::open(const Host& run, CacheOffer offer, StartReadback start) {
  const auto* service = run.service<fv_cache_service>(FV_CACHE_SERVICE);
  if (service == nullptr) return nullptr;
  return std::unique_ptr<StepCache>(new StepCache(*service, std::move(offer), std::move(start)));
}

StepCache::StepCache(const fv_cache_service& service, CacheOffer offer, StartReadback start)
    : service_(service), offer_(std::move(offer)), start_(std::move(start)) {
  check_offer();
  lanes_.resize(static_cast<size_t>(offer_.branches / offer_.branches_at_once));
  TextBuffer text;
  plan_.struct_size = sizeof(plan_);
  fastvideo::check(service_.open(service_.context, CacheSessionInfo(offer_).get(), &session_, &plan_, text.get()),
                   text);
  measures_ = {plan_.measures, plan_.measure_count};
  slots_ = {plan_.slots, plan_.slot_count};
  try {
    check_plan();
  } catch (...) {
    service_.close(service_.context, session_);
    throw;
  }
  plan_histories();
}

void StepCache::check_offer() const {
  if (offer_.branches_at_once != 1 && offer_.branches_at_once != offer_.branches)
    throw std::logic_error("an offer of " + std::to_string(offer_.branches) + " branches runs " +
                           std::to_string(offer_.branches_at_once) + " at once: one or all is possible");
  if (offer_.branches_at_once > 1 && (offer_.cuts & FV_CUT_BRANCH) != 0)
    throw std::logic_error("an offer whose branches run at once cannot leave out one of them");
}

void StepCache::plan_histories() {
  for (const fv_cache_slot& slot : slots_) {
    const auto same = [&](const History& h) {
      return h.keep == slot.keep && (h.keep != FV_KEEP_BRANCH_DIFFERENCE || h.other_branch == slot.other_branch);
    };
    auto found = std::find_if(histories_.begin(), histories_.end(), same);
    if (found == histories_.end()) found = histories_.insert(found, {slot.keep, slot.other_branch, 0});
    found->depth = std::max(found->depth, static_cast<size_t>(slot.back) + 1);
    history_of_slot_.push_back(static_cast<size_t>(found - histories_.begin()));
    wants_outputs_ = wants_outputs_ || slot.keep == FV_KEEP_BRANCH_DIFFERENCE;
  }
  for (Lane& lane : lanes_) lane.kept.resize(histories_.size());
}

StepCache::~StepCache() { service_.close(service_.context, session_); }

void StepCache::check_plan() const {
  const std::string who = std::string("the caching strategy ") + service_.strategy + " ";
  const fv_cache_cut& cut = plan_.cut;
  if ((cut.kind & offer_.cuts) == 0 || (cut.kind & (cut.kind - 1)) != 0)
    throw std::runtime_error(who + "leaves out what this pipeline cannot: cut " + std::to_string(cut.kind));
  if (cut.kind == FV_CUT_BLOCKS && (cut.first < 0 || cut.first >= cut.last || cut.last > offer_.blocks))
    throw std::runtime_error(who + "leaves out blocks [" + std::to_string(cut.first) + ", " + std::to_string(cut.last) +
                             ") of " + std::to_string(offer_.blocks));
  if (cut.kind == FV_CUT_BRANCH && (cut.first < 0 || cut.first >= offer_.branches))
    throw std::runtime_error(who + "leaves out branch " + std::to_string(cut.first) + " of " +
                             std::to_string(offer_.branches));
  for (const fv_cache_measure& measure : measures_) {
    const auto found = std::find(offer_.signals.begin(), offer_.signals.end(), measure.signal);
    if (found == offer_.signals.end()) throw std::runtime_error(who + "measures an unknown signal, " + measure.signal);
    if (plan_.is_static != 0 && offer_.early[static_cast<size_t>(found - offer_.signals.begin())] == 0)
      throw std::runtime_error(who + "plans ahead by " + measure.signal + ", which is known in the loop only");
  }
  for (const fv_cache_slot& slot : slots_) {
    if (slot.keep == FV_KEEP_BRANCH_DIFFERENCE && offer_.branches_at_once > 1)
      throw std::runtime_error(who + "keeps the difference of branches, which run in one pass here");
    if (slot.back < 0 ||
        (slot.keep == FV_KEEP_BRANCH_DIFFERENCE && (slot.other_branch < 0 || slot.other_branch >= offer_.branches)))
      throw std::runtime_error(who + "asks for a slot that cannot be: " + std::to_string(slot.back) +
                               " steps back, other branch " + std::to_string(slot.other_branch));
  }
}

bool StepCache::wants(std::string_view signal) const {
  return plan_.is_static == 0 &&
         std::any_of(measures_.begin(), measures_.end(), [&](const fv_cache_measure& m) { return signal == m.signal; });
}

void StepCache::schedule(const EarlySignals& signals) {
  if (plan_.is_static == 0) return;
  const size_t steps = offer_.timesteps.size(), width = slots_.size() + 1;
  const std::vector<double> norms = early_norms(measures_, signals, steps);
  const size_t decisions = steps * static_cast<size_t>(offer_.branches);
  coefficients_.assign(decisions * width, 0.0);
  schedule_.assign(decisions, fv_cache_decision{sizeof(fv_cache_decision), FV_CACHE_COMPUTE, nullptr});
  std::vector<fv_cache_decision*> pointers;
  for (size_t i = 0; i < decisions; ++i) {
    schedule_[i].coefficients = &coefficients_[i * width];
    pointers.push_back(&schedule_[i]);
  }
  TextBuffer text;
  fastvideo::check(service_.schedule(service_.context, session_, norms.data(), pointers.data(), text.get()), text);
}

void StepCache::begin(int32_t step, std::span<const int32_t> rows) {
  if (step != step_)
    for (Lane& lane : lanes_) lane.output.clear();
  step_ = step;
  lane_ = &lanes_.at(offer_.branches_at_once > 1 ? 0 : static_cast<size_t>(rows.front()));
  if (lane_->rows.empty()) lane_->rows.assign(rows.begin(), rows.end());
  if (!std::equal(rows.begin(), rows.end(), lane_->rows.begin(), lane_->rows.end()) ||
      (lanes_.size() > 1 && std::count(rows.begin(), rows.end(), rows.front()) != std::ssize(rows)))
    throw std::logic_error("the rows of a pass are not those of the step before, or of branches that run apart");
  computing_ = true;
  combination_ = nullptr;
  norms_.assign(measures_.size(), {});
  lane_->current.clear();
}

at::Tensor StepCache::norm(const fv_cache_measure& measure, const at::Tensor& x) const {
  if (measure.minus == FV_MINUS_NOTHING) return norm_of(x, measure.norm);
  const Signals& earlier = measure.minus == FV_MINUS_PREVIOUS ? lane_->previous : lane_->last_computed;
  const auto found = earlier.find(measure.signal);
  return found == earlier.end() ? at::Tensor() : norm_of(x - found->second, measure.norm);
}

void StepCache::measure(std::string_view signal, const at::Tensor& x) {
  if (!wants(signal)) return;
  if (x.size(0) != std::ssize(lane_->rows))
    throw std::logic_error("a signal has " + std::to_string(x.size(0)) + " rows in a pass of " +
                           std::to_string(lane_->rows.size()));
  lane_->current.insert_or_assign(std::string(signal), x);
  for (size_t i = 0; i < measures_.size(); ++i)
    if (signal == measures_[i].signal) norms_[i] = norm(measures_[i], x);
}

// A branch cut leaves the passes of other branches alone.
bool StepCache::concerns_pass() const {
  return plan_.cut.kind != FV_CUT_BRANCH || lane_->rows.front() == plan_.cut.first;
}

// The scheduled decision for all branches of the pass: a combination that is the same for all branches, or to compute.
bool StepCache::scheduled_for_all() {
  const size_t width = slots_.size() + 1;
  const auto planned = [&](int32_t branch) -> const fv_cache_decision& {
    return schedule_[static_cast<size_t>(step_) * static_cast<size_t>(offer_.branches) + static_cast<size_t>(branch)];
  };
  combination_ = planned(lane_->rows.front()).coefficients;
  return std::all_of(lane_->rows.begin(), lane_->rows.end(), [&](int32_t branch) {
    const fv_cache_decision& decision = planned(branch);
    return decision.action == FV_CACHE_COMBINE && std::equal(combination_, combination_ + width, decision.coefficients);
  });
}

bool StepCache::decide() {
  if (!concerns_pass()) return true;
  if (plan_.is_static != 0) {
    computing_ = !scheduled_for_all();
  } else {
    // The last computed pass is observed here rather than at its end, so that one wait serves both calls.
    std::vector<at::Tensor> vectors = norms_;
    if (observation_) vectors.insert(vectors.end(), observation_->norms.begin(), observation_->norms.end());
    const size_t rows = lane_->rows.size();
    const std::vector<double> numbers = read(vectors, rows, start_);
    const size_t now = measures_.size() * rows;
    if (observation_) tell(std::span(numbers).subspan(now));
    ask(std::span(numbers).first(now));
  }
  if (!computing_) ++reused_;
  return computing_;
}

fv_cache_point StepCache::point_at(int32_t step, const std::vector<int32_t>& rows) const {
  fv_cache_point point{};
  point.struct_size = sizeof(point);
  point.step = step;
  point.steps = static_cast<int32_t>(offer_.timesteps.size());
  point.expert = offer_.expert_of_step[static_cast<size_t>(step)];
  point.sigma = offer_.sigmas[static_cast<size_t>(step)];
  point.branches = rows.data();
  point.batch = static_cast<int32_t>(rows.size());
  return point;
}

// observed: [measures][rows] of the observation.
void StepCache::tell(std::span<const double> observed) {
  TextBuffer text;
  const std::vector<int32_t>& rows = *observation_->rows;
  const fv_cache_point point = point_at(observation_->step, rows);
  const std::vector<double> measured = by_row(observed, measures_.size(), rows.size());
  fastvideo::check(service_.observe(service_.context, session_, &point, measured.data(), text.get()), text);
  observation_.reset();
}

// values: [measures][rows] of the pass.
void StepCache::ask(std::span<const double> values) {
  TextBuffer text;
  coefficients_.assign(slots_.size() + 1, 0.0);
  fv_cache_decision decision{sizeof(fv_cache_decision), FV_CACHE_COMPUTE, coefficients_.data()};
  const fv_cache_point point = point_at(step_, lane_->rows);
  const std::vector<double> measured = by_row(values, measures_.size(), lane_->rows.size());
  fastvideo::check(service_.decide(service_.context, session_, &point, measured.data(), &decision, text.get()), text);
  computing_ = decision.action == FV_CACHE_COMPUTE;
  combination_ = coefficients_.data();
}

at::Tensor StepCache::combined(const at::Tensor& base, size_t stream) const {
  const double of_base = combination_[slots_.size()];
  at::Tensor sum = of_base == 1.0 ? base : base * of_base;
  bool ours = of_base != 1.0;  // whether sum may be written to
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (combination_[i] == 0.0) continue;
    const size_t back = static_cast<size_t>(slots_[i].back);
    const std::deque<Streams>& kept = lane_->kept[history_of_slot_[i]];
    if (kept.size() <= back)
      throw std::runtime_error(std::string("the caching strategy ") + service_.strategy + " combines slot " +
                               std::to_string(i) + " at step " + std::to_string(step_) + ", before it was filled");
    const at::Tensor& x = kept[back].at(stream);
    sum = ours ? sum.add_(x, combination_[i]) : at::add(sum, x, combination_[i]);
    ours = true;
  }
  return sum;
}

Streams StepCache::combine(const Streams& base) {
  Streams streams;
  for (size_t i = 0; i < base.size(); ++i) streams.push_back(combined(base[i], i));
  return streams;
}

Streams StepCache::kept_of(const History& history, const Streams& input, const Streams& output) const {
  if (history.keep == FV_KEEP_OUTPUT) return output;
  const bool is_residual = history.keep == FV_KEEP_RESIDUAL;
  const Streams& less = is_residual ? input : lanes_[static_cast<size_t>(history.other_branch)].output;
  if (less.empty())
    throw std::runtime_error(std::string("the caching strategy ") + service_.strategy +
                             " wants the difference to branch " + std::to_string(history.other_branch) +
                             ", which comes later in a step or was left out");
  Streams kept;
  for (size_t i = 0; i < output.size(); ++i) kept.push_back(output[i] - less.at(i));
  return kept;
}

void StepCache::keep(const Streams& input, const Streams& output) {
  if (wants_outputs_) lane_->output = output;
  if (!concerns_pass()) return;
  for (size_t i = 0; i < histories_.size(); ++i) {
    std::deque<Streams>& kept = lane_->kept[i];
    kept.push_front(kept_of(histories_[i], input, output));
    if (kept.size() > histories_[i].depth) kept.pop_back();
  }
}

void StepCache::end() {
  if (plan_.is_static == 0 && concerns_pass() && computing_) {
    for (const auto& [name, x] : lane_->current) lane_->last_computed.insert_or_assign(name, x);
    observation_ = Observation{step_, &lane_->rows, norms_};
  }
  lane_->previous = std::move(lane_->current);
  lane_->current.clear();  // a moved-from container may hold anything
}

void StepCache::finish() {
  if (observation_) tell(read(observation_->norms, observation_->rows->size(), start_));
}

}  // namespace fastvideo
