// Checks of caching strategies.
#include <fastvideo/cache.h>

#include <memory>

#include "tools/check/cache_rehearsal.hpp"
#include "tools/check/subject.hpp"

namespace fastvideo::host::conformance {
namespace {

// A strategy with the item's defaults, destroyed at the end.
class Strategy {
 public:
  explicit Strategy(const Subject& subject) : table_(subject.loaded.interface<fv_cache_interface>()) {
    TextBuffer error;
    require_created(table_->create(subject.host, subject.options.data(), static_cast<uint32_t>(subject.options.size()),
                                   &strategy_, error.get()),
                    error);
    require(strategy_ != nullptr, "create gave FV_OK and no strategy");
  }
  ~Strategy() {
    if (strategy_ != nullptr) release("destroy", [&] { table_->destroy(strategy_); });
  }
  Strategy(const Strategy&) = delete;
  Strategy& operator=(const Strategy&) = delete;

  const fv_cache_interface* table() const { return table_; }
  fv_cache_strategy* get() const { return strategy_; }

 private:
  const fv_cache_interface* table_;
  fv_cache_strategy* strategy_ = nullptr;
};

// Empty if the strategy supports the session, else its reason.
std::string refusal(const Strategy& strategy, const fv_cache_session_info& info) {
  TextBuffer error, reason;
  fv_cache_support support{};
  support.struct_size = sizeof support;
  support.reason = *reason.get();
  const char* const lent = support.reason.data;
  require_success("supports", strategy.table()->supports(strategy.get(), &info, &support, error.get()), error);
  require(support.reason.data == lent, "supports put another buffer in the place of the one for its reason");
  require(support.supported <= 1, "supports set supported to " + std::to_string(support.supported) + ", not 0 or 1");
  require(support.supported == 1 || !reason.str().empty(), "supports says no and gives no reason");
  return support.supported == 1 ? std::string() : reason.str();
}

struct Model {
  const char* key;
  const char* preset;
};
// Strategies with coefficients know some models; other strategies take any model.
constexpr Model kModels[] = {{"wan2.1-t2v-1.3b", ""}, {"wan2.1-t2v-14b", ""}, {"no-such-model", ""}};

void rehearse(const Strategy& strategy, const Model& model, int32_t steps, bool together) {
  SessionFacts facts(model.key, steps, together);
  facts.info.preset = model.preset;
  const std::string why_not = refusal(strategy, facts.info);
  if (!why_not.empty()) throw Skipped(why_not);
  std::vector<double> alone;
  {
    Rehearsal session(strategy.table(), strategy.get(), facts);
    for (int32_t step = 0; step < steps; ++step) session.step(step);
    alone = session.decisions();
  }
  Rehearsal one(strategy.table(), strategy.get(), facts), two(strategy.table(), strategy.get(), facts);
  for (int32_t step = 0; step < steps; ++step) {
    one.step(step);
    two.step(step);
  }
  require(one.decisions() == alone && two.decisions() == alone,
          "the same numbers led to other decisions: two sessions share something, or chance decides");
}

void check_refusals(const Subject& subject, const Strategy& strategy) {
  subject.report.check("supports: pure", [&] {
    for (const Model& model : kModels)
      for (const int32_t steps : {1, 2, 3, 50}) {
        const SessionFacts facts(model.key, steps, false);
        require(refusal(strategy, facts.info) == refusal(strategy, facts.info),
                "two questions about one session had different answers");
      }
  });
  subject.report.check("supports: refuses a pipeline that offers no cut", [&] {
    SessionFacts facts(kModels[0].key, 20, false);
    facts.info.cuts = 0;
    require(!refusal(strategy, facts.info).empty(), "supports takes a session without a cut");
  });
  subject.report.check("supports: answers where the pipeline offers no signal", [&] {
    const SessionFacts facts(kModels[0].key, 20, false, false);
    if (!refusal(strategy, facts.info).empty()) return;
    Rehearsal session(strategy.table(), strategy.get(), facts);
    for (int32_t step = 0; step < facts.info.steps; ++step) session.step(step);
  });
  subject.report.check("errors: nobody wants the text", [&] {
    SessionFacts facts("no-such-model", 20, false, false);
    facts.info.cuts = 0;
    fv_cache_support support{};
    support.struct_size = sizeof support;
    strategy.table()->supports(strategy.get(), &facts.info, &support, nullptr);
    fv_cache_plan plan{};
    plan.struct_size = sizeof plan;
    fv_cache_session* session = nullptr;
    if (strategy.table()->open(strategy.get(), &facts.info, &session, &plan, nullptr) == FV_OK && session != nullptr)
      strategy.table()->close(session);
    fv_cache_strategy* other = nullptr;
    if (strategy.table()->create(subject.host, nullptr, 0, &other, nullptr) == FV_OK && other != nullptr)
      strategy.table()->destroy(other);
  });
}

}  // namespace

void check_cache(const Subject& subject) {
  std::unique_ptr<Strategy> strategy;
  const bool created = subject.report.check("create with the defaults, twice; destroy", [&] {
    strategy = std::make_unique<Strategy>(subject);
    const Strategy other(subject);
  });
  if (!created || strategy == nullptr) return;
  check_refusals(subject, *strategy);
  size_t tried = 0, declined = 0;
  std::string reason;
  for (const Model& model : kModels)
    for (const int32_t steps : {1, 4, 30})
      for (const bool together : {false, true})
        subject.report.check("loop of " + std::to_string(steps) + " steps, " + model.key +
                                 (together ? ", both branches in one pass" : ", a pass for each branch"),
                             [&] {
                               ++tried;
                               try {
                                 rehearse(*strategy, model, steps, together);
                               } catch (const Skipped& why) {
                                 ++declined;
                                 reason = why.what();
                                 throw;
                               }
                             });
  // Not a fault: the strategy may know other models than those of the loops, and a manifest has no limits for that.
  subject.report.check("takes one of the loops", [&] {
    if (declined == tried)
      throw Skipped("it takes none of " + std::to_string(tried) + " loops, so nothing that it decides was checked (" +
                    reason + ")");
  });
  subject.report.check("destroy", [&] { strategy.reset(); });
  subject.report.check("create with a host that offers nothing", [&] {
    const auto* table = subject.loaded.interface<fv_cache_interface>();
    TextBuffer error;
    fv_cache_strategy* bare = nullptr;
    const fv_status status = table->create(bare_host(), subject.options.data(),
                                           static_cast<uint32_t>(subject.options.size()), &bare, error.get());
    if (status == FV_OK && bare != nullptr) table->destroy(bare);
    require(status == FV_OK || !error.str().empty(), "create gave " + describe(status, error));
  });
}

}  // namespace fastvideo::host::conformance
