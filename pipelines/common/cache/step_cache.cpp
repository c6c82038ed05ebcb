#include "pipelines/common/cache/step_cache.hpp"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace fastvideo {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// Values of device scalars, NaN for those that are undefined. On a GPU this waits for one event and nothing else.
std::vector<double> read(std::span<const at::Tensor> scalars) {
  std::vector<at::Tensor> known;
  for (const at::Tensor& scalar : scalars)
    if (scalar.defined()) known.push_back(scalar);
  std::vector<double> values(scalars.size(), kUnknown);
  if (known.empty()) return values;

  at::Tensor packed = at::stack(known);
  if (!packed.is_cpu()) {
    const at::Tensor landed = at::empty(packed.sizes(), at::TensorOptions().dtype(packed.dtype()).pinned_memory(true));
    landed.copy_(packed, /*non_blocking=*/true);
    c10::Event copied(packed.device().type());
    copied.record(c10::impl::VirtualGuardImpl(packed.device().type()).getStream(packed.device()));
    copied.synchronize();
    packed = landed;
  }
  const float* next = packed.const_data_ptr<float>();
  for (size_t i = 0; i < values.size(); ++i)
    if (scalars[i].defined()) values[i] = *next++;
  return values;
}

// The mean of |x| or the root of the mean of x^2 over all elements, a float32 scalar.
at::Tensor norm_of(const at::Tensor& x, uint32_t norm) {
  const at::Tensor f = x.to(at::kFloat);
  return norm == FV_NORM_L2 ? f.square().mean().sqrt() : f.abs().mean();
}

}  // namespace

std::vector<double> early_norms(std::span<const fv_cache_measure> measures, const EarlySignals& signals, size_t steps) {
  std::vector<at::Tensor> norms(steps * measures.size());
  for (size_t step = 0; step < steps; ++step) {
    for (size_t i = 0; i < measures.size(); ++i) {
      const fv_cache_measure& measure = measures[i];
      const std::vector<at::Tensor>& x = signals.at(measure.signal);
      // Which steps will be computed is what is being asked: there is no last computed one.
      if (measure.minus == FV_MINUS_LAST_COMPUTED || (measure.minus == FV_MINUS_PREVIOUS && step == 0)) continue;
      const at::Tensor value = measure.minus == FV_MINUS_PREVIOUS ? x[step] - x[step - 1] : x[step];
      norms[step * measures.size() + i] = norm_of(value, measure.norm);
    }
  }
  return read(norms);
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

std::unique_ptr<StepCache> StepCache::open(const Host& run, CacheOffer offer) {
  const auto* service = run.service<fv_cache_service>(FV_CACHE_SERVICE);
  if (service == nullptr) return nullptr;
  return std::unique_ptr<StepCache>(new StepCache(*service, std::move(offer)));
}

StepCache::StepCache(const fv_cache_service& service, CacheOffer offer)
    : service_(service), offer_(std::move(offer)), branches_(static_cast<size_t>(offer_.branches)) {
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

void StepCache::plan_histories() {
  for (const fv_cache_slot& slot : slots_) {
    const auto same = [&](const History& h) {
      return h.keep == slot.keep && (h.keep != FV_KEEP_BRANCH_DIFFERENCE || h.other_branch == slot.other_branch);
    };
    auto found = std::find_if(histories_.begin(), histories_.end(), same);
    if (found == histories_.end()) found = histories_.insert(found, {slot.keep, slot.other_branch, 0});
    found->depth = std::max(found->depth, static_cast<size_t>(slot.back) + 1);
    history_of_slot_.push_back(static_cast<size_t>(found - histories_.begin()));
  }
  for (Branch& branch : branches_) branch.kept.resize(histories_.size());
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
  for (const fv_cache_slot& slot : slots_)
    if (slot.back < 0 ||
        (slot.keep == FV_KEEP_BRANCH_DIFFERENCE && (slot.other_branch < 0 || slot.other_branch >= offer_.branches)))
      throw std::runtime_error(who + "asks for a slot that cannot be: " + std::to_string(slot.back) +
                               " steps back, other branch " + std::to_string(slot.other_branch));
}

bool StepCache::wants(std::string_view signal) const {
  return plan_.is_static == 0 &&
         std::any_of(measures_.begin(), measures_.end(), [&](const fv_cache_measure& m) { return signal == m.signal; });
}

void StepCache::schedule(const EarlySignals& signals) {
  if (plan_.is_static == 0) return;
  const size_t steps = offer_.timesteps.size(), width = slots_.size() + 1;
  const std::vector<double> norms = early_norms(measures_, signals, steps);
  const size_t decisions = steps * branches_.size();
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

void StepCache::begin(int32_t step, int32_t branch) {
  if (step != step_)
    for (Branch& b : branches_) b.output.reset();
  step_ = step;
  branch_ = branch;
  computing_ = true;
  combination_ = nullptr;
  norms_.assign(measures_.size(), {});
  branches_[static_cast<size_t>(branch)].current.clear();
}

at::Tensor StepCache::norm(const fv_cache_measure& measure, const at::Tensor& x, const Branch& branch) const {
  if (measure.minus == FV_MINUS_NOTHING) return norm_of(x, measure.norm);
  const Signals& earlier = measure.minus == FV_MINUS_PREVIOUS ? branch.previous : branch.last_computed;
  const auto found = earlier.find(measure.signal);
  return found == earlier.end() ? at::Tensor() : norm_of(x - found->second, measure.norm);
}

void StepCache::measure(std::string_view signal, const at::Tensor& x) {
  if (!wants(signal)) return;
  Branch& branch = branches_[static_cast<size_t>(branch_)];
  branch.current.insert_or_assign(std::string(signal), x);
  for (size_t i = 0; i < measures_.size(); ++i)
    if (signal == measures_[i].signal) norms_[i] = norm(measures_[i], x, branch);
}

// A branch cut leaves the passes of other branches alone.
bool StepCache::concerns_pass() const { return plan_.cut.kind != FV_CUT_BRANCH || branch_ == plan_.cut.first; }

bool StepCache::decide() {
  if (!concerns_pass()) return true;
  if (plan_.is_static != 0) {
    const fv_cache_decision& decision =
        schedule_[static_cast<size_t>(step_) * branches_.size() + static_cast<size_t>(branch_)];
    computing_ = decision.action == FV_CACHE_COMPUTE;
    combination_ = decision.coefficients;
  } else {
    // The last computed pass is observed here rather than at its end, so that one wait serves both.
    std::vector<at::Tensor> scalars = norms_;
    if (observation_) scalars.insert(scalars.end(), observation_->norms.begin(), observation_->norms.end());
    const std::vector<double> values = read(scalars);
    if (observation_) tell(std::span(values).subspan(measures_.size()));
    ask(values);
  }
  if (!computing_) ++reused_;
  return computing_;
}

fv_cache_point StepCache::point_at(int32_t step, const int32_t* branch) const {
  fv_cache_point point{};
  point.struct_size = sizeof(point);
  point.step = step;
  point.steps = static_cast<int32_t>(offer_.timesteps.size());
  point.expert = offer_.expert_of_step[static_cast<size_t>(step)];
  point.sigma = offer_.sigmas[static_cast<size_t>(step)];
  point.branches = branch;
  point.batch = 1;
  return point;
}

void StepCache::tell(std::span<const double> observed) {
  TextBuffer text;
  const fv_cache_point point = point_at(observation_->step, &observation_->branch);
  fastvideo::check(service_.observe(service_.context, session_, &point, observed.data(), text.get()), text);
  observation_.reset();
}

void StepCache::ask(std::span<const double> values) {
  TextBuffer text;
  coefficients_.assign(slots_.size() + 1, 0.0);
  fv_cache_decision decision{sizeof(fv_cache_decision), FV_CACHE_COMPUTE, coefficients_.data()};
  const fv_cache_point point = point_at(step_, &branch_);
  fastvideo::check(service_.decide(service_.context, session_, &point, values.data(), &decision, text.get()), text);
  computing_ = decision.action == FV_CACHE_COMPUTE;
  combination_ = coefficients_.data();
}

at::Tensor StepCache::combine(const at::Tensor& base) {
  const Branch& branch = branches_[static_cast<size_t>(branch_)];
  const double of_base = combination_[slots_.size()];
  at::Tensor sum = of_base == 1.0 ? base : base * of_base;
  bool ours = of_base != 1.0;  // whether sum may be written to
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (combination_[i] == 0.0) continue;
    const size_t back = static_cast<size_t>(slots_[i].back);
    const std::deque<at::Tensor>& kept = branch.kept[history_of_slot_[i]];
    if (kept.size() <= back)
      throw std::runtime_error(std::string("the caching strategy ") + service_.strategy + " combines slot " +
                               std::to_string(i) + " at step " + std::to_string(step_) + ", before it was filled");
    sum = ours ? sum.add_(kept[back], combination_[i]) : at::add(sum, kept[back], combination_[i]);
    ours = true;
  }
  return sum;
}

void StepCache::keep(const at::Tensor& input, const at::Tensor& output) {
  Branch& branch = branches_[static_cast<size_t>(branch_)];
  branch.output = output;
  if (!concerns_pass()) return;
  for (size_t i = 0; i < histories_.size(); ++i) {
    const History& history = histories_[i];
    at::Tensor kept = output;
    if (history.keep == FV_KEEP_RESIDUAL) kept = output - input;
    if (history.keep == FV_KEEP_BRANCH_DIFFERENCE) {
      const at::Tensor& other = branches_[static_cast<size_t>(history.other_branch)].output;
      if (!other.defined())
        throw std::runtime_error(std::string("the caching strategy ") + service_.strategy +
                                 " wants the difference to branch " + std::to_string(history.other_branch) +
                                 ", which comes later in a step or was left out");
      kept = output - other;
    }
    branch.kept[i].push_front(kept);
    if (branch.kept[i].size() > history.depth) branch.kept[i].pop_back();
  }
}

void StepCache::end() {
  Branch& branch = branches_[static_cast<size_t>(branch_)];
  if (plan_.is_static == 0 && concerns_pass() && computing_) {
    for (const auto& [name, x] : branch.current) branch.last_computed.insert_or_assign(name, x);
    observation_ = Observation{step_, branch_, norms_};
  }
  branch.previous.swap(branch.current);
}

void StepCache::finish() {
  if (observation_) tell(read(observation_->norms));
}

}  // namespace fastvideo
