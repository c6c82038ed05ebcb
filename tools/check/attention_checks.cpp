// Checks of attention backends. All runs are on the CPU.
#include <fastvideo/attention.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fastvideo/tensor_view.hpp>
#include <memory>
#include <thread>

#include "host/plugins/limits.hpp"
#include "host/selection/attention_contract.hpp"
#include "host/services/token_order.hpp"
#include "sdk/testing/attention_problem.hpp"
#include "tools/check/subject.hpp"

namespace fastvideo::host::conformance {
namespace {

using testing::AttentionProblem;
using testing::Layout;
using testing::ProblemShape;

// A backend with the item's defaults, destroyed at the end.
class Backend {
 public:
  explicit Backend(const Subject& subject) : table_(subject.loaded.interface<fv_attention_interface>()) {
    TextBuffer error;
    require_created(table_->create(subject.host, subject.options.data(), static_cast<uint32_t>(subject.options.size()),
                                   &backend_, error.get()),
                    error);
    require(backend_ != nullptr, "create gave FV_OK and no backend");
  }
  ~Backend() {
    if (backend_ != nullptr) release("destroy", [&] { table_->destroy(backend_); });
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  const fv_attention_interface* operator->() const { return table_; }
  fv_attention* get() const { return backend_; }

 private:
  const fv_attention_interface* table_;
  fv_attention* backend_ = nullptr;
};

struct Answer {
  bool supported = false;
  uint32_t numerics = 0;
  double score = 0;
  std::string reason;
  bool operator==(const Answer&) const = default;
};

Answer ask(const Backend& backend, const fv_attention_site& site) {
  TextBuffer error, reason;
  fv_attention_support support{};
  support.struct_size = sizeof support;
  support.reason = *reason.get();
  const char* const lent = support.reason.data;
  require_success("supports", backend->supports(backend.get(), &site, &support, error.get()), error);
  require(support.reason.data == lent, "supports put another buffer in the place of the one for its reason");
  require(support.supported <= 1, "supports set supported to " + std::to_string(support.supported) + ", not 0 or 1");
  return {support.supported == 1, support.numerics, support.score, reason.str()};
}

// A plan, destroyed at the end.
class Plan {
 public:
  Plan(const Backend& backend, const fv_attention_site& site) : backend_(backend) {
    TextBuffer error;
    info_.struct_size = sizeof info_;
    require_success("plan", backend->plan(backend.get(), &site, &plan_, &info_, error.get()), error);
    require(plan_ != nullptr, "plan gave FV_OK and no plan");
    const std::string fault = fault_of_plan_info(info_, DeviceFacts{});
    if (fault.empty()) return;
    destroy();
    throw Fault(fault);
  }
  ~Plan() { destroy(); }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const fv_attention_plan_info& info() const { return info_; }

  // prepare and memory as in the host. Sizes beyond a GiB at these shapes are a mistake.
  void make_ready() {
    for (const uint64_t bytes : {info_.resident_bytes, info_.scratch_bytes})
      require(bytes <= uint64_t{1} << 30, "the plan of a small site asks for " + std::to_string(bytes) + " bytes");
    resident_ = memory(info_.resident_bytes);
    scratch_ = memory(info_.scratch_bytes);
    TextBuffer error;
    if (FV_HAS(backend_.operator->(), fv_attention_interface, prepare) && backend_->prepare != nullptr)
      require_success("prepare", backend_->prepare(plan_, resident_.get(), nullptr, error.get()), error);
  }

  void run(fv_attention_args& args) {
    TextBuffer error;
    args.scratch = scratch_.get();
    require_success("run", backend_->run(plan_, &args, error.get()), error);
  }

 private:
  void destroy() noexcept {
    if (plan_ != nullptr) release("destroy_plan", [&] { backend_->destroy_plan(plan_); });
  }

  struct Free {
    void operator()(void* memory) const { ::operator delete (memory, std::align_val_t{256}); }
  };
  static std::unique_ptr<void, Free> memory(uint64_t bytes) {
    return std::unique_ptr<void, Free>(bytes == 0 ? nullptr : ::operator new (bytes, std::align_val_t{256}));
  }

  const Backend& backend_;
  fv_attention_plan* plan_ = nullptr;
  fv_attention_plan_info info_{};
  std::unique_ptr<void, Free> resident_, scratch_;
};

// ---- Sites inside the limits of the manifest ----

bool runs_on_cpu(const Item& item) { return !rule_out(item.limits, DeviceFacts{}); }

std::vector<fv_dtype> dtypes_of(const Item& item) {
  std::vector<fv_dtype> dtypes;
  for (const fv_dtype dtype : {kFloat32, kFloat64, kFloat16, kBFloat16})
    if (!item.limits.dtypes || std::count(item.limits.dtypes->begin(), item.limits.dtypes->end(), dtype_name(dtype)))
      dtypes.push_back(dtype);
  return dtypes;
}

std::vector<int32_t> head_sizes_of(const Item& item) {
  if (!item.limits.head_sizes) return {24, 64, 128};
  std::vector<int32_t> sizes;
  for (const int32_t size : {8, 24, 64, 80, 128, 256})
    if (item.limits.head_sizes->contains(size)) sizes.push_back(size);
  if (sizes.empty())
    sizes.push_back(static_cast<int32_t>(item.limits.head_sizes->list.empty() ? item.limits.head_sizes->min
                                                                              : item.limits.head_sizes->list.front()));
  return sizes;
}

std::string role_of(const Item& item) {
  for (const char* role :
       {FV_ROLE_DIT_SELF, FV_ROLE_DIT_CROSS, FV_ROLE_DIT_JOINT, FV_ROLE_TEXT_SELF, FV_ROLE_IMAGE_SELF, FV_ROLE_VAE_MID})
    if (!item.limits.roles || std::any_of(item.limits.roles->begin(), item.limits.roles->end(),
                                          [&](const std::string& pattern) { return matches_role(pattern, role); }))
      return role;
  return FV_ROLE_DIT_SELF;
}

// The name of a run in the report, and its shape.
struct Case {
  std::string name;
  ProblemShape shape;
};

// Every type and head size once without variations, then one variation at a time.
std::vector<Case> cases_of(const Item& item) {
  std::vector<Case> cases;
  const std::vector<int32_t> head_sizes = head_sizes_of(item);
  for (const fv_dtype dtype : dtypes_of(item)) {
    const std::string type = dtype_name(dtype);
    ProblemShape plain;
    plain.role = role_of(item);
    plain.dtype = dtype;
    for (const int32_t size : head_sizes) {
      plain.head_size = size;
      cases.push_back({type + ", head size " + std::to_string(size), plain});
    }
    plain.head_size = head_sizes.front();
    const auto vary = [&](const std::string& name, auto&& change) {
      ProblemShape shape = plain;
      change(shape);
      cases.push_back({std::string(type).append(", ").append(name), shape});
    };
    vary("gaps between the rows", [](ProblemShape& s) { s.layout = Layout::padded; });
    vary("heads before tokens in memory", [](ProblemShape& s) { s.layout = Layout::heads_first; });
    vary("7 keys for 24 queries", [](ProblemShape& s) { s.keys = 7; });
    vary("one query", [](ProblemShape& s) { s.queries = 1; });
    vary("one key", [](ProblemShape& s) { s.keys = 1; });
    vary("201 queries and keys", [](ProblemShape& s) { s.queries = s.keys = 201, s.batch = 1; });
    vary("fewer rows and tokens than the site", [](ProblemShape& s) { s.spare = 9; });
    vary("two query heads for each key head", [](ProblemShape& s) { s.kv_heads = 2; });
    vary("video tokens of 2x3x4", [](ProblemShape& s) { s.grid = {2, 3, 4}; });
    vary("the first step of 50", [](ProblemShape& s) { s.step = 0, s.steps = 50; });
    vary("the last step of 50", [](ProblemShape& s) { s.step = 49, s.steps = 50; });
    vary("log-sum-exp", [](ProblemShape& s) { s.require = FV_REQUIRE_LOG_SUM_EXP; });
    const auto takes = [&](uint32_t masks) { return !item.limits.masks || (masks & ~*item.limits.masks) == 0; };
    for (const uint32_t mask :
         {FV_MASK_CAUSAL, FV_MASK_FRAME_CAUSAL, FV_MASK_KEY_LENGTHS, FV_MASK_BOOLEAN, FV_MASK_BIAS}) {
      if (!takes(mask)) continue;
      vary(mask_names(mask) + " mask", [mask](ProblemShape& s) {
        s.masks = mask;
        if (mask == FV_MASK_FRAME_CAUSAL) s.grid = {2, 3, 4};
      });
    }
    // Corners of the contract (attention.h): several masks, alignment, a bias of another type, queries that see
    // nothing.
    for (const uint32_t masks :
         {FV_MASK_KEY_LENGTHS | FV_MASK_BOOLEAN, FV_MASK_KEY_LENGTHS | FV_MASK_BIAS,
          FV_MASK_CAUSAL | FV_MASK_KEY_LENGTHS, FV_MASK_CAUSAL | FV_MASK_BOOLEAN, FV_MASK_CAUSAL | FV_MASK_BIAS})
      if (takes(masks)) vary(mask_names(masks) + " masks at once", [masks](ProblemShape& s) { s.masks = masks; });
    if (takes(FV_MASK_CAUSAL))
      for (const int64_t keys : {7, 37})
        vary("causal mask, " + std::to_string(keys) + " keys for 24 queries",
             [keys](ProblemShape& s) { s.masks = FV_MASK_CAUSAL, s.keys = keys; });
    if (takes(FV_MASK_BIAS) && !same_dtype(dtype, kFloat32))
      vary("bias mask in float32", [](ProblemShape& s) { s.masks = FV_MASK_BIAS, s.bias_dtype = kFloat32; });
    for (const uint32_t mask : {FV_MASK_KEY_LENGTHS, FV_MASK_BOOLEAN, FV_MASK_BIAS})
      for (const uint64_t require : {uint64_t{0}, uint64_t{FV_REQUIRE_LOG_SUM_EXP}})
        if (takes(mask))
          vary("queries closed by a " + mask_names(mask) + " mask" + (require != 0 ? ", log-sum-exp" : ""),
               [&](ProblemShape& s) { s.masks = mask, s.require = require, s.has_closed_rows = true; });
  }
  return cases;
}

// ---- The checks ----

void check_answers(const Subject& subject, const Backend& backend, const std::vector<Case>& cases) {
  subject.report.check("supports: pure, from two threads, no worse than the manifest's numerics", [&] {
    for (const Case& one : cases) {
      const AttentionProblem problem(one.shape);
      const Answer first = ask(backend, problem.site());
      Answer other;
      std::exception_ptr failure;
      std::thread beside([&] {
        try {
          other = ask(backend, problem.site());
        } catch (...) {
          failure = std::current_exception();
        }
      });
      Answer second;
      try {
        second = ask(backend, problem.site());
      } catch (...) {
        failure = std::current_exception();
      }
      beside.join();
      if (failure) std::rethrow_exception(failure);
      for (const Answer& answer : {first, second, other})
        require(std::isfinite(answer.score) && answer.score >= 0,
                one.name + ": the score is " + std::to_string(answer.score) +
                    ", which is no number of microseconds (0: no estimate)");
      require(first == second && first == other, one.name + ": two questions about one site had different answers");
      require(first.supported || !first.reason.empty(), one.name + ": supports says no and gives no reason");
      require(!first.supported || first.numerics <= subject.item.numerics,
              one.name + ": numerics " + numerics_name(first.numerics) + ", the manifest says " +
                  numerics_name(subject.item.numerics) + " at worst");
    }
  });
  subject.report.check("supports: answers for sites outside the limits", [&] {
    ProblemShape odd;
    for (const int32_t size : {1, 3, 7, 1000}) {
      odd.head_size = size;
      ask(backend, AttentionProblem(odd).site());
    }
    const AttentionProblem problem(ProblemShape{});
    fv_attention_site site = problem.site();
    site.device = {FV_DEVICE_CUDA, 0};
    site.role = "future.role";
    ask(backend, site);
    site = problem.site();
    site.dtype = {FV_INT, 8, 1};
    ask(backend, site);
    site = problem.site();
    site.batch = site.query_length = site.key_length = INT64_C(1) << 40;
    ask(backend, site);
  });
  subject.report.check("supports: refuses masks and requirements that it does not know", [&] {
    const AttentionProblem problem(cases.front().shape);
    fv_attention_site site = problem.site();
    site.masks |= 1u << 30;
    require(!ask(backend, site).supported, "supports takes a site with the unknown mask 1 << 30");
    site = problem.site();
    site.require |= uint64_t{1} << 60;
    require(!ask(backend, site).supported, "supports takes a site with the unknown requirement 1 << 60");
  });
  subject.report.check("supports: reads structs that have grown", [&] {
    const AttentionProblem problem(cases.front().shape);
    struct {
      fv_attention_site site;
      std::array<unsigned char, 64> later;
    } grown{problem.site(), {}};
    grown.later.fill(0xFF);
    grown.site.struct_size = sizeof grown;
    require(ask(backend, grown.site) == ask(backend, problem.site()),
            "the answer depends on fields that were appended");
  });
}

void check_without_texts(const Subject& subject, const Backend& backend, const std::vector<Case>& cases) {
  subject.report.check("errors: nobody wants the text", [&] {
    const AttentionProblem problem(cases.front().shape);
    fv_attention_site site = problem.site();
    site.masks |= 1u << 30;
    fv_attention_support support{};
    support.struct_size = sizeof support;
    backend->supports(backend.get(), &site, &support, nullptr);
    fv_attention_plan_info info{};
    info.struct_size = sizeof info;
    fv_attention_plan* plan = nullptr;
    site.role = "future.role";
    site.dtype = {FV_INT, 8, 1};
    if (backend->plan(backend.get(), &site, &plan, &info, nullptr) == FV_OK && plan != nullptr)
      backend->destroy_plan(plan);
    fv_attention* other = nullptr;
    if (backend->create(subject.host, nullptr, 0, &other, nullptr) == FV_OK && other != nullptr)
      backend->destroy(other);
  });
}

// The reasons of refused cases, each once, with the first case that had it.
std::string reasons_of(const std::vector<Finding>& declined) {
  std::string text;
  std::vector<std::string> known;
  for (const Finding& one : declined) {
    if (std::find(known.begin(), known.end(), one.text) != known.end()) continue;
    known.push_back(one.text);
    if (known.size() <= 5) text += (text.empty() ? "" : "; ") + one.check + ": " + one.text;
  }
  return known.size() > 5 ? text + "; and " + std::to_string(known.size() - 5) + " more reasons" : text;
}

void run_case(const Subject& subject, const Backend& backend, const Case& one) {
  AttentionProblem problem(one.shape);
  const Answer answer = ask(backend, problem.site());
  if (!answer.supported) throw Skipped(answer.reason.empty() ? "it says no and gives no reason" : answer.reason);
  Plan plan(backend, problem.site());
  const fv_attention_plan_info& info = plan.info();
  require(info.numerics <= subject.item.numerics, "the plan's numerics are " + numerics_name(info.numerics) +
                                                      ", the manifest says " + numerics_name(subject.item.numerics) +
                                                      " at worst");
  require(info.numerics <= answer.numerics, "the plan's numerics are " + numerics_name(info.numerics) +
                                                ", supports said " + numerics_name(answer.numerics));
  bool approximate = info.numerics >= FV_NUMERICS_APPROXIMATE;
  if (info.token_order != nullptr) {
    const int64_t tokens = one.shape.grid ? problem.site().query_length : 0;
    require(tokens > 0, "the plan wants an order of the tokens where there is no grid");
    try {
      require_bijection({subject.item.full_name(), {info.token_order, static_cast<size_t>(info.token_count)}}, tokens);
    } catch (const std::runtime_error& e) {
      throw Fault(e.what());
    }
    // Tokens are interchangeable without a mask; with one, the reference would have to follow the order.
    approximate = approximate || one.shape.masks != 0;
  }
  plan.make_ready();
  plan.run(problem.args());
  if (const std::string fault = problem.fault(approximate); !fault.empty()) throw Fault(fault);
}

}  // namespace

void check_attention(const Subject& subject) {
  std::unique_ptr<Backend> backend;
  const bool created = subject.report.check("create with the defaults, twice; destroy", [&] {
    backend = std::make_unique<Backend>(subject);
    const Backend other(subject);
  });
  if (!created || backend == nullptr) return;
  const std::vector<Case> cases = cases_of(subject.item);
  check_answers(subject, *backend, cases);
  check_without_texts(subject, *backend, cases);
  std::vector<Finding> declined;
  const bool runs_here = runs_on_cpu(subject.item);
  for (const Case& one : cases) {
    subject.report.check("run " + one.name, [&] {
      if (!runs_here) throw Skipped(*rule_out(subject.item.limits, DeviceFacts{}));
      try {
        run_case(subject, *backend, one);
      } catch (const Skipped& why) {
        declined.push_back({one.name, Outcome::skipped, why.what()});
        throw;
      }
    });
    if (!runs_here) break;
  }
  if (runs_here)
    subject.report.check("serves one of the problems that its limits allow", [&] {
      require(declined.size() < cases.size(), "it serves none of " + std::to_string(cases.size()) +
                                                  " problems, so nothing that it computes was checked (" +
                                                  reasons_of(declined) +
                                                  "); what it never serves belongs into [item.limits]");
    });
  subject.report.check("destroy", [&] { backend.reset(); });
  subject.report.check("create with a host that offers nothing", [&] {
    const auto* table = subject.loaded.interface<fv_attention_interface>();
    TextBuffer error;
    fv_attention* bare = nullptr;
    const fv_status status = table->create(bare_host(), subject.options.data(),
                                           static_cast<uint32_t>(subject.options.size()), &bare, error.get());
    if (status == FV_OK && bare != nullptr) table->destroy(bare);
    require(status == FV_OK || !error.str().empty(), "create gave " + describe(status, error));
  });
}

}  // namespace fastvideo::host::conformance
