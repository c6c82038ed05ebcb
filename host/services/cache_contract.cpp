#include "host/services/cache_contract.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fastvideo::host {
namespace {

constexpr uint32_t kNoAnswer = 99;
constexpr uint32_t kMost = 4096;  // measures, slots; a count beyond is one that was not written

std::string number_of(int64_t value) { return std::to_string(value); }

CacheFault broken(const std::string& text) { return {text, false}; }
CacheFault impossible(const std::string& text) { return {text, true}; }

CacheFault fault_of_cut(const fv_cache_cut& cut, const fv_cache_session_info& info) {
  if (cut.kind != FV_CUT_MODEL && cut.kind != FV_CUT_BLOCKS && cut.kind != FV_CUT_BRANCH)
    return broken("its cut is of the kind " + number_of(cut.kind) + "; a session cuts one thing, 1, 2 or 4");
  if ((cut.kind & info.cuts) == 0)
    return impossible("leaves out what this pipeline cannot leave out (cut " + number_of(cut.kind) +
                      "; offered: " + number_of(info.cuts) + ")");
  if (cut.kind == FV_CUT_BLOCKS && (cut.first < 0 || cut.first >= cut.last || cut.last > info.blocks))
    return broken("it leaves out blocks [" + number_of(cut.first) + ", " + number_of(cut.last) + ") of " +
                  number_of(info.blocks));
  if (cut.kind == FV_CUT_BRANCH && (cut.first < 0 || cut.first >= info.branches))
    return broken("it leaves out branch " + number_of(cut.first) + " of " + number_of(info.branches));
  if (cut.kind == FV_CUT_BRANCH && info.branches == 1)
    return broken("it leaves out the only branch, and nothing can stand in for that");
  return {};
}

CacheFault fault_of_measure(const fv_cache_measure& measure, bool is_static, const fv_cache_session_info& info) {
  if (measure.signal == nullptr) return broken("a measure's signal is NULL");
  const std::string name = measure.signal;
  const char* const* end = info.signals + info.signal_count;
  const char* const* found = std::find_if(info.signals, end, [&](const char* offered) { return name == offered; });
  if (found == end) return impossible("wants the signal '" + name + "', which this pipeline cannot measure");
  if (is_static && info.early[found - info.signals] == 0)
    return broken("it plans ahead by '" + name + "', which is known in the loop only");
  if (measure.norm != FV_NORM_L1 && measure.norm != FV_NORM_L2)
    return broken("it measures '" + name + "' by the unknown norm " + number_of(measure.norm));
  if (measure.minus > FV_MINUS_LAST_COMPUTED)
    return broken("what is subtracted from '" + name + "', " + number_of(measure.minus) + ", is unknown");
  return {};
}

CacheFault fault_of_slot(const fv_cache_slot& slot, const fv_cache_cut& cut, const fv_cache_session_info& info) {
  if (slot.keep > FV_KEEP_BRANCH_DIFFERENCE)
    return broken("a slot keeps " + number_of(slot.keep) + ", which is unknown");
  if (slot.back < 0 || slot.back >= std::max(info.steps, 1))
    return broken("a slot is " + number_of(slot.back) + " steps back, in a loop of " + number_of(info.steps));
  if (slot.keep != FV_KEEP_BRANCH_DIFFERENCE) return {};
  if (slot.other_branch < 0 || slot.other_branch >= info.branches)
    return broken("a slot's other branch is " + number_of(slot.other_branch) + " of " + number_of(info.branches));
  if (info.branches == 1) return broken("a slot keeps the difference to another branch, and there is one branch only");
  if (cut.kind == FV_CUT_BRANCH && slot.other_branch == cut.first)
    return broken("a slot keeps the difference of branch " + number_of(cut.first) + " to itself");
  return {};
}

}  // namespace

CacheFault fault_of_offer(const fv_cache_session_info& info) {
  if (info.struct_size < sizeof info)
    return broken("its fv_cache_session_info has " + number_of(info.struct_size) + " bytes, this ABI needs " +
                  std::to_string(sizeof info));
  if (info.steps < 1 || info.branches < 1 || info.blocks < 0)
    return broken("it has " + number_of(info.steps) + " steps, " + number_of(info.branches) + " branches and " +
                  number_of(info.blocks) + " blocks");
  if (info.branches_at_once != 1 && info.branches_at_once != info.branches)
    return broken("of " + number_of(info.branches) + " branches it runs " + number_of(info.branches_at_once) +
                  " at once; one or all is possible");
  if (info.sigmas == nullptr || info.timesteps == nullptr || info.expert_of_step == nullptr)
    return broken("its sigmas, timesteps or experts are NULL");
  if (info.signal_count > kMost * 16)
    return broken("it counts " + number_of(info.signal_count) + " signals, at most " + number_of(int64_t{kMost} * 16));
  if (info.signal_count > 0 && (info.signals == nullptr || info.early == nullptr))
    return broken("its signals are counted but not given");
  for (uint32_t i = 0; i < info.signal_count; ++i)
    if (info.signals[i] == nullptr) return broken("the name of its signal " + number_of(i) + " is NULL");
  return {};
}

CacheFault fault_of_plan(const fv_cache_plan& plan, const fv_cache_session_info& info,
                         const fv_cache_interface& table) {
  if (CacheFault fault = fault_of_cut(plan.cut, info)) return fault;
  if ((plan.measure_count > 0 && plan.measures == nullptr) || (plan.slot_count > 0 && plan.slots == nullptr))
    return broken("measures or slots are counted but not given");
  if (plan.measure_count > kMost || plan.slot_count > kMost)
    return broken("it counts " + number_of(plan.measure_count) + " measures and " + number_of(plan.slot_count) +
                  " slots, at most " + number_of(kMost) + " of each");
  for (uint32_t i = 0; i < plan.measure_count; ++i)
    if (CacheFault fault = fault_of_measure(plan.measures[i], plan.is_static != 0, info)) return fault;
  for (uint32_t i = 0; i < plan.slot_count; ++i)
    if (CacheFault fault = fault_of_slot(plan.slots[i], plan.cut, info)) return fault;
  if (plan.is_static != 0 && (!FV_HAS(&table, fv_cache_interface, schedule) || table.schedule == nullptr))
    return broken("it is static and has no schedule");
  return {};
}

CacheAnswers::CacheAnswers(const fv_cache_plan& plan, const fv_cache_session_info& info)
    : cut_(plan.cut),
      slots_(plan.slots, plan.slots + plan.slot_count),
      steps_(info.steps),
      at_once_(info.branches_at_once > 1),
      computed_(static_cast<size_t>(info.branches), 0) {}

void CacheAnswers::lend(std::span<fv_cache_decision* const> decisions) {
  lent_.clear();
  for (fv_cache_decision* decision : decisions) {
    lent_.emplace_back(decision, *decision);
    decision->action = kNoAnswer;
    std::fill_n(decision->coefficients, slots_.size() + 1, std::numeric_limits<double>::quiet_NaN());
  }
}

std::string CacheAnswers::take_back() {
  std::string fault;
  for (const auto& [decision, before] : lent_) {
    if (decision->coefficients != before.coefficients)
      fault = "it put another pointer in the place of the coefficients, whose room it is to fill";
    decision->coefficients = before.coefficients;
    decision->struct_size = before.struct_size;
    if (decision->action == FV_CACHE_COMPUTE) std::fill_n(decision->coefficients, slots_.size() + 1, 0.0);
  }
  lent_.clear();
  return fault;
}

std::string CacheAnswers::fault(int32_t step, std::span<const int32_t> branches,
                                const fv_cache_decision& decision) const {
  const std::string where = "at step " + number_of(step + 1) + " of " + number_of(steps_) + " ";
  if (decision.action == FV_CACHE_COMPUTE) return {};
  if (decision.action == kNoAnswer) return where + "it gave no answer";
  if (decision.action != FV_CACHE_COMBINE) return where + "it gave the unknown answer " + number_of(decision.action);
  for (size_t i = 0; i <= slots_.size(); ++i) {
    const double coefficient = decision.coefficients[i];
    if (!std::isfinite(coefficient))
      return where + "its coefficient " + number_of(static_cast<int64_t>(i)) + " is not written or not finite (" +
             std::to_string(coefficient) + ")";
    if (i == slots_.size() || coefficient == 0) continue;
    for (const int32_t branch : branches) {
      if (branch < 0 || static_cast<size_t>(branch) >= computed_.size()) continue;
      const int32_t times = computed_[static_cast<size_t>(branch)];
      if (times <= slots_[i].back)
        return where + "it combines slot " + number_of(static_cast<int64_t>(i)) +
               ", which holds nothing: its cut was computed " + number_of(times) + " times";
    }
  }
  return {};
}

void CacheAnswers::note(std::span<const int32_t> branches, bool computes) {
  if (!computes) return;
  for (const int32_t branch : branches)
    if (branch >= 0 && static_cast<size_t>(branch) < computed_.size()) ++computed_[static_cast<size_t>(branch)];
}

std::string CacheAnswers::fault_of_schedule(fv_cache_decision* const* decisions,
                                            std::vector<std::vector<int32_t>>& left_out) {
  const size_t branches = computed_.size();
  left_out.assign(branches, {});
  for (int32_t step = 0; step < steps_; ++step) {
    fv_cache_decision* const* of_step = &decisions[static_cast<size_t>(step) * branches];
    const auto is_like_the_first = [&](const fv_cache_decision* one) {
      return one->action == FV_CACHE_COMBINE && of_step[0]->action == FV_CACHE_COMBINE &&
             std::equal(one->coefficients, one->coefficients + slots_.size() + 1, of_step[0]->coefficients);
    };
    for (int32_t branch = 0; static_cast<size_t>(branch) < branches; ++branch) {
      if (!concerns(branch)) continue;
      const std::span<const int32_t> row(&branch, 1);
      if (std::string text = fault(step, row, *of_step[branch]); !text.empty()) return text;
      const bool computes = at_once_ ? !std::all_of(of_step, of_step + branches, is_like_the_first)
                                     : of_step[branch]->action == FV_CACHE_COMPUTE;
      note(row, computes);
      if (!computes) left_out[static_cast<size_t>(branch)].push_back(step);
    }
  }
  return {};
}

}  // namespace fastvideo::host
