#include "host/selection/selftest.hpp"

#include <algorithm>
#include <fastvideo/core.hpp>
#include <fastvideo/tensor_view.hpp>
#include <stdexcept>
#include <vector>

#include "host/log/log.hpp"
#include "host/progress/stage_timer.hpp"
#include "host/selection/attention_contract.hpp"
#include "host/selection/border.hpp"
#include "sdk/testing/attention_problem.hpp"

namespace fastvideo::host {
namespace {

using testing::AttentionProblem;
using testing::DeviceMemory;
using testing::ProblemShape;

// Relative error that an approximation may have where one key has all the weight: e4m3, the coarsest type in use for
// values, rounds by 1/16 at most; scores in 8 bits and unlucky rounding may double that.
constexpr double kApproximate = 0.15;
constexpr int64_t kRows = 48;              // of the output that are compared: the formula costs a millisecond
constexpr double kMostProducts = 1 << 28;  // of a site that is tried as it is
constexpr uint64_t kMostMemory = 1 << 30;  // of a plan of a small problem

std::string short_number(double value) { return formatted("%.2g", value); }

// The backend does not take the problem: that is no fault.
struct Declined {
  std::string why;
};

template <class Call>
void require(const CallName& name, TextBuffer& text, Call&& call) {
  const fv_status status = called(name, text.get(), call, /*if_it_throws=*/FV_FAILED);
  if (status == FV_OK) return;
  const std::string said = text.str().empty() ? "status " + std::to_string(status) : text.str();
  if (status == FV_REFUSED) throw Declined{said};
  throw std::runtime_error(std::string(name.function) + " failed: " + said);
}

// A plan of a small problem with its memory, destroyed at the end.
class TrialPlan {
 public:
  TrialPlan(const OpenBackend& backend, const fv_attention_site& site) : backend_(backend), role_(site.role) {
    TextBuffer text;
    info_.struct_size = sizeof info_;
    require(in("plan"), text, [&] { return backend.table->plan(backend.backend, &site, &plan_, &info_, text.get()); });
    if (plan_ == nullptr) throw std::runtime_error("plan gave no plan and no error");
  }
  ~TrialPlan() {
    released(in("destroy_plan"), [&] { backend_.table->destroy_plan(plan_); });
  }
  TrialPlan(const TrialPlan&) = delete;
  TrialPlan& operator=(const TrialPlan&) = delete;

  uint32_t numerics() const { return info_.numerics; }

  void prepare(const DeviceFacts& device, DeviceMemory& memory) {
    if (const std::string fault = fault_of_plan_info(info_, device); !fault.empty()) throw std::runtime_error(fault);
    for (const uint64_t bytes : {info_.resident_bytes, info_.scratch_bytes})
      if (bytes > kMostMemory) throw Declined{"its plan takes " + std::to_string(bytes) + " bytes"};
    void* resident = allocate(memory, info_.resident_bytes);
    scratch_ = allocate(memory, info_.scratch_bytes);
    if (backend_.table->prepare == nullptr) return;
    TextBuffer text;
    require(in("prepare"), text, [&] { return backend_.table->prepare(plan_, resident, memory.stream(), text.get()); });
  }

  void run(AttentionProblem& problem, DeviceMemory& memory) {
    problem.args().scratch = scratch_;
    problem.args().stream = memory.stream();
    TextBuffer text;
    require(in("run"), text, [&] { return backend_.table->run(plan_, &problem.args(), text.get()); });
  }

 private:
  static void* allocate(DeviceMemory& memory, uint64_t bytes) {
    try {
      return bytes > 0 ? memory.allocate(bytes) : nullptr;
    } catch (const std::bad_alloc&) {
      throw Declined{"its plan takes " + std::to_string(bytes) + " bytes, which are not to be had"};
    }
  }

  CallName in(const char* function) const { return call_name(function, backend_.name, role_); }

  const OpenBackend& backend_;
  std::string role_;
  fv_attention_plan* plan_ = nullptr;
  fv_attention_plan_info info_{};
  void* scratch_ = nullptr;
};

// The site with at most 192 queries, 160 keys and two heads (of grouped ones a group).
ProblemShape small_problem(const fv_attention_site& site) {
  ProblemShape shape;
  shape.role = site.role;
  shape.dtype = site.dtype;
  shape.head_size = site.head_size;
  const int32_t group = site.query_heads / std::max(site.kv_heads, 1);
  shape.kv_heads = group > 1 ? 1 : std::min(site.kv_heads, 2);
  shape.query_heads = shape.kv_heads * group;
  shape.batch = 1;
  const bool is_self = site.query_length == site.key_length;
  shape.queries = std::min<int64_t>(site.query_length, 192);
  const int64_t tokens = site.grid[0] * site.grid[1] * site.grid[2];
  // Tokens before and behind the grid are left out: attention treats them like the others.
  if (tokens > 0) {
    shape.grid = {std::min<int64_t>(site.grid[0], 3), std::min<int64_t>(site.grid[1], 8),
                  std::min<int64_t>(site.grid[2], 8)};
    shape.queries = (*shape.grid)[0] * (*shape.grid)[1] * (*shape.grid)[2];
  }
  shape.keys = is_self ? shape.queries : std::min<int64_t>(site.key_length, 160);
  shape.masks = site.masks;
  shape.require = site.require;
  shape.layers = site.layers;
  shape.scale = site.scale;
  shape.rows = kRows;
  return shape;
}

// From the smallest to the site itself: what takes given heads or a given grid only may take one of these.
std::vector<ProblemShape> problems_like(const fv_attention_site& site) {
  std::vector<ProblemShape> problems{small_problem(site)};
  const auto with_all_heads = [&](ProblemShape shape) {
    shape.query_heads = site.query_heads;
    shape.kv_heads = site.kv_heads;
    shape.total_heads = site.total_heads;
    return shape;
  };
  problems.push_back(with_all_heads(problems.front()));
  const double products =
      static_cast<double>(site.query_length) * static_cast<double>(site.key_length) * site.query_heads * site.head_size;
  if (products > kMostProducts) return problems;
  ProblemShape whole = problems.back();
  whole.queries = site.query_length;
  whole.keys = site.key_length;
  const int64_t tokens = site.grid[0] * site.grid[1] * site.grid[2];
  whole.grid.reset();
  if (tokens == site.query_length) whole.grid = {site.grid[0], site.grid[1], site.grid[2]};
  problems.push_back(std::move(whole));
  return problems;
}

bool is_known(fv_dtype dtype) {
  return same_dtype(dtype, kFloat16) || same_dtype(dtype, kBFloat16) || same_dtype(dtype, kFloat32) ||
         same_dtype(dtype, kFloat64);
}

void require_supported(const Item& item, const OpenBackend& backend, const fv_attention_site& site,
                       const DeviceFacts& device) {
  if (const auto reason = rule_out(item.limits, site, device)) throw Declined{*reason};
  TextBuffer reason, error;
  fv_attention_support answer{};
  answer.struct_size = sizeof answer;
  answer.reason = *reason.get();
  require(call_name("supports", backend.name, site.role), error,
          [&] { return backend.table->supports(backend.backend, &site, &answer, error.get()); });
  if (answer.supported != 1) throw Declined{reason.str().empty() ? "says no" : reason.str()};
}

struct Trial {
  uint32_t numerics;
  std::string fault;  // of what was written where
  testing::Deviation deviation;
};

Trial try_out(const Item& item, const OpenBackend& backend, const ProblemShape& shape, const DeviceFacts& device,
              DeviceMemory& memory) {
  AttentionProblem problem(shape);
  problem.place(memory, device.device);
  // In the middle of the model and of its loop: the first layers and steps may be treated with more care.
  problem.args().layer = shape.layers / 2;
  if (std::string_view(shape.role).starts_with("dit.")) {
    problem.args().step = 25;
    problem.args().steps = 50;
  }
  require_supported(item, backend, problem.site(), device);
  uint32_t numerics = FV_NUMERICS_EXACT;
  memory.on_device([&] {
    TrialPlan plan(backend, problem.site());
    plan.prepare(device, memory);
    numerics = plan.numerics();
    plan.run(problem, memory);
    problem.collect(memory);  // waits for the stream, before the plan goes
  });
  const std::string fault = problem.fault(/*approximate=*/true);
  return {numerics, fault, fault.empty() ? problem.deviation() : testing::Deviation{}};
}

// Both of how far it is from the formula, and what it may be.
SelfTest judge(const Item& item, const OpenBackend& backend, ProblemShape shape, const DeviceFacts& device,
               DeviceMemory& memory) {
  using Outcome = SelfTest::Outcome;
  const Trial random = try_out(item, backend, shape, device, memory);
  if (!random.fault.empty()) return {Outcome::failed, random.fault, 0, 0};
  const auto measured = [](const Trial& trial, double bar, const std::string& remark) {
    const double error = trial.deviation.relative;
    const bool passed = error <= bar;  // and not when it is no number
    return SelfTest{
        passed ? Outcome::passed : Outcome::failed,
        "relative error " + short_number(error) + " against float64 (at most " + short_number(bar) + remark + ")",
        error, bar};
  };
  if (random.numerics < FV_NUMERICS_APPROXIMATE) return measured(random, random.deviation.bar, "");
  shape.inputs = testing::Inputs::peaked;
  const Trial peaked = try_out(item, backend, shape, device, memory);
  if (!peaked.fault.empty()) return {Outcome::failed, peaked.fault, 0, 0};
  return measured(
      peaked, kApproximate,
      " where one key has all the weight; " + short_number(random.deviation.relative) + " on random inputs");
}

// What tells small problems apart.
std::string key_of(const OpenBackend& backend, const ProblemShape& s) {
  // Two backends of one item differ in their options.
  std::string key = std::to_string(reinterpret_cast<uintptr_t>(&backend)) + " " + s.role + " " + dtype_name(s.dtype);
  for (const int64_t one : {int64_t{s.head_size}, int64_t{s.query_heads}, int64_t{s.kv_heads}, s.queries, s.keys,
                            int64_t{s.masks}, static_cast<int64_t>(s.require)})
    key += " " + std::to_string(one);
  return key;
}

}  // namespace

testing::DeviceMemory& SelfTests::memory() {
  if (memory_ == nullptr) memory_ = testing::make_device_memory(device_.device);
  if (memory_ == nullptr) throw Declined{"the host knows no way to the memory of " + device_name(device_.device)};
  return *memory_;
}

const SelfTest& SelfTests::of(const Item& item, const OpenBackend& backend, const fv_attention_site& site) {
  const std::vector<ProblemShape> problems = problems_like(site);
  const auto [at, is_new] = done_.try_emplace(key_of(backend, problems.front()));
  SelfTest& test = at->second;
  if (!is_new) return test;
  if (!is_known(site.dtype)) {
    test.text = "not for " + dtype_name(site.dtype);
    return test;
  }
  const double began = steady_seconds();
  for (const ProblemShape& problem : problems) {
    try {
      test = judge(item, backend, problem, device_, memory());
      test.text += ", " + short_number(1e3 * (steady_seconds() - began)) + " ms";
      break;
    } catch (const Declined& declined) {
      test.text = "no small problem fits: " + declined.why;
    } catch (const std::exception& e) {
      test = {SelfTest::Outcome::failed, e.what(), 0, 0};
      break;
    }
  }
  log_debug("selection", "self-test of " + backend.name + " at " + site.role + ": " + test.text);
  return test;
}

}  // namespace fastvideo::host
