#include "tools/check/cache_rehearsal.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

namespace fastvideo::host::conformance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int32_t kBlocks = 6;

bool is_early(std::string_view signal) { return signal.starts_with("time."); }
// Signals known before the blocks have run.
bool is_known_before(std::string_view signal) {
  return is_early(signal) || signal == "latent.in" || signal == "block.0.modulated";
}

}  // namespace

SessionFacts::SessionFacts(std::string model, int32_t steps, bool together, bool signals)
    : model_(std::move(model)),
      sigmas_(static_cast<size_t>(steps) + 1),
      timesteps_(static_cast<size_t>(steps)),
      experts_(static_cast<size_t>(steps), 0) {
  if (signals) {
    names_ = {"latent.in", "model.out", "time.embed", "time.proj", "blocks.residual"};
    for (int32_t block = 0; block < kBlocks; ++block)
      for (const char* what : {"modulated", "out", "residual"})
        names_.push_back("block." + std::to_string(block) + "." + what);
  }
  for (const std::string& name : names_) {
    signals_.push_back(name.c_str());
    early_.push_back(is_early(name) ? 1 : 0);
  }
  for (int32_t step = 0; step < steps; ++step) {
    sigmas_[static_cast<size_t>(step)] = 1.0 - static_cast<double>(step) / steps;
    timesteps_[static_cast<size_t>(step)] = 1000 * sigmas_[static_cast<size_t>(step)];
  }
  info.struct_size = sizeof info;
  info.cuts = FV_CUT_MODEL | FV_CUT_BLOCKS | FV_CUT_BRANCH;
  info.model = model_.c_str();
  info.preset = "";
  info.steps = steps;
  info.branches = 2;
  info.branches_at_once = together ? 2 : 1;
  info.blocks = kBlocks;
  info.experts = 1;
  info.signal_count = static_cast<uint32_t>(signals_.size());
  info.signals = signals_.data();
  info.early = early_.data();
  info.sigmas = sigmas_.data();
  info.timesteps = timesteps_.data();
  info.expert_of_step = experts_.data();
}

Rehearsal::Rehearsal(const fv_cache_interface* table, fv_cache_strategy* strategy, const SessionFacts& facts)
    : table_(table), info_(facts.info), computed_(static_cast<size_t>(facts.info.branches), 0) {
  TextBuffer error;
  plan_.struct_size = sizeof plan_;
  require_success("open", table->open(strategy, &info_, &session_, &plan_, error.get()), error);
  require(session_ != nullptr, "open gave FV_OK and no session");
  try {
    check_plan();
  } catch (...) {
    release("close", [&] { table_->close(session_); });
    throw;
  }
}

Rehearsal::~Rehearsal() {
  release("close", [&] { table_->close(session_); });
}

void Rehearsal::check_plan() {
  const CacheFault fault = fault_of_plan(plan_, info_, *table_);
  require(!fault, "the plan: " + fault.text);
  answers_ = CacheAnswers(plan_, info_);
}

std::vector<double> Rehearsal::measurements(int32_t step, size_t rows, bool afterwards) {
  std::uniform_real_distribution<double> size(0.0, 2.0);
  std::vector<double> numbers;
  for (size_t row = 0; row < rows; ++row)
    for (uint32_t i = 0; i < plan_.measure_count; ++i) {
      const fv_cache_measure& measure = plan_.measures[i];
      const double value = size(random_);
      const bool nothing_to_subtract = (measure.minus == FV_MINUS_PREVIOUS && step == 0) ||
                                       (measure.minus == FV_MINUS_LAST_COMPUTED && computed_[0] == 0);
      const bool unknown = nothing_to_subtract || (!afterwards && !is_known_before(measure.signal));
      numbers.push_back(unknown ? kNaN : value);
    }
  return numbers;
}

void Rehearsal::take(int32_t step, const std::vector<int32_t>& branches, const fv_cache_decision& decision) {
  const std::string fault = answers_.fault(step, branches, decision);
  require(fault.empty(), fault);
  const bool computes = decision.action == FV_CACHE_COMPUTE;
  answers_.note(branches, computes);
  decisions_.push_back(computes ? 1 : 0);
  if (computes)
    for (const int32_t branch : branches) ++computed_[static_cast<size_t>(branch)];
  else
    decisions_.insert(decisions_.end(), decision.coefficients, decision.coefficients + plan_.slot_count + 1);
}

void Rehearsal::schedule() {
  std::vector<double> numbers;
  for (int32_t step = 0; step < info_.steps; ++step) {
    const std::vector<double> one = measurements(step, 1, true);
    numbers.insert(numbers.end(), one.begin(), one.end());
  }
  const auto count = static_cast<size_t>(info_.steps) * static_cast<size_t>(info_.branches);
  std::vector<std::vector<double>> coefficients(count, std::vector<double>(plan_.slot_count + size_t{1}));
  std::vector<fv_cache_decision> decisions(count);
  std::vector<fv_cache_decision*> pointers;
  for (size_t i = 0; i < count; ++i) {
    decisions[i] = {sizeof(fv_cache_decision), FV_CACHE_COMPUTE, coefficients[i].data()};
    pointers.push_back(&decisions[i]);
  }
  answers_.lend(pointers);
  TextBuffer error;
  const fv_status status = table_->schedule(session_, numbers.data(), pointers.data(), error.get());
  const std::string fault = answers_.take_back();
  require_success("schedule", status, error);
  require(fault.empty(), fault);
  for (int32_t step = 0; step < info_.steps; ++step)
    for (int32_t branch = 0; branch < info_.branches; ++branch) {
      const auto i = static_cast<size_t>(step) * static_cast<size_t>(info_.branches) + static_cast<size_t>(branch);
      if (answers_.concerns(branch)) take(step, {branch}, decisions[i]);
    }
}

void Rehearsal::pass(int32_t step, const std::vector<int32_t>& branches) {
  fv_cache_point point{sizeof(fv_cache_point),
                       step,
                       info_.steps,
                       0,
                       info_.sigmas[step],
                       branches.data(),
                       static_cast<int32_t>(branches.size()),
                       0};
  std::vector<double> coefficients(plan_.slot_count + size_t{1});
  fv_cache_decision decision{sizeof(fv_cache_decision), FV_CACHE_COMPUTE, coefficients.data()};
  fv_cache_decision* const lent = &decision;
  answers_.lend({&lent, 1});
  TextBuffer error;
  const std::vector<double> before = measurements(step, branches.size(), false);
  const fv_status status = table_->decide(session_, &point, before.data(), &decision, error.get());
  const std::string fault = answers_.take_back();
  require_success("decide", status, error);
  require(fault.empty(), fault);
  const std::vector<double> after = measurements(step, branches.size(), true);
  take(step, branches, decision);
  const bool wanted = FV_HAS(table_, fv_cache_interface, observe) && table_->observe != nullptr;
  if (decision.action == FV_CACHE_COMPUTE && wanted)
    require_success("observe", table_->observe(session_, &point, after.data(), error.get()), error);
}

void Rehearsal::step(int32_t step) {
  if (plan_.is_static) {
    if (step == 0) schedule();
    return;
  }
  const bool is_branch_cut = plan_.cut.kind == FV_CUT_BRANCH;
  if (info_.branches_at_once == info_.branches && !is_branch_cut) {
    pass(step, {0, 1});
    return;
  }
  for (int32_t branch = 0; branch < info_.branches; ++branch) {
    if (!is_branch_cut || branch == plan_.cut.first)
      pass(step, {branch});
    else
      ++computed_[static_cast<size_t>(branch)];
  }
}

}  // namespace fastvideo::host::conformance
