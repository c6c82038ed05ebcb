// A caching strategy for the host's tests: it leaves out the steps that its data file says, or breaks as it is told.
#include <fastvideo/plugin.hpp>

#include "host/selection/testing/throwing.hpp"

namespace {

class EveryOtherSession : public fastvideo::CacheSession {
 public:
  EveryOtherSession(int64_t period, std::string fault) : period_(period), fault_(std::move(fault)) {
    plan_.cut = {fault_ == "cut" ? static_cast<uint32_t>(FV_CUT_BLOCKS) : static_cast<uint32_t>(FV_CUT_MODEL), 0, 1, 0};
    plan_.measures = {{fault_ == "signal" ? "block.9.out" : "latent.in", FV_NORM_L1, FV_MINUS_NOTHING}};
    plan_.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
  }
  const fastvideo::CachePlan& plan() const override { return plan_; }
  fastvideo::CacheDecision decide(const fv_cache_point& point, std::span<const double> measurements) override {
    if (fault_ == "decide") throw std::runtime_error("decide broke");
    if (measurements[0] != point.step) throw std::runtime_error("measurements are not those of this step");
    if (point.step % period_ == 0) return fastvideo::CacheDecision::computed();
    return fastvideo::CacheDecision::combined({1, 1});
  }

 private:
  int64_t period_;
  std::string fault_;
  fastvideo::CachePlan plan_;
};

class EveryOther : public fastvideo::CacheStrategy {
 public:
  explicit EveryOther(const fastvideo::Options& options) : fault_(options.string("fault")) {
    const fv_value* table = options.find("table");
    period_ = table->as.entries[0].value.as.integer;
  }
  std::string refuses(const fv_cache_session_info& info) const override {
    return info.steps < 2 ? "one step leaves nothing to skip; take two" : "";
  }
  std::unique_ptr<fastvideo::CacheSession> open(const fv_cache_session_info&) override {
    return std::make_unique<EveryOtherSession>(period_, fault_);
  }

 private:
  std::string fault_;
  int64_t period_ = 1;
};

const void* cache_interface(const char* id) {
  using Table = fastvideo::detail::CacheTable<EveryOther>;
  using fastvideo::test::throw_in;
  static fv_cache_interface table = *static_cast<const fv_cache_interface*>(Table::get_interface(FV_CACHE_INTERFACE));
  table.create = [](auto... args) { return throw_in("cache.create"), Table::create(args...); };
  table.supports = [](auto... args) { return throw_in("cache.supports"), Table::supports(args...); };
  table.open = [](auto... args) { return throw_in("cache.open"), Table::open(args...); };
  table.decide = [](auto... args) { return throw_in("cache.decide"), Table::decide(args...); };
  table.observe = [](auto... args) { return throw_in("cache.observe"), Table::observe(args...); };
  table.close = [](auto... args) { Table::close(args...), throw_in("cache.close"); };
  table.destroy = [](auto... args) { Table::destroy(args...), throw_in("cache.destroy"); };
  return std::string_view(id) == FV_CACHE_INTERFACE ? &table : nullptr;
}

}  // namespace

FASTVIDEO_PLUGIN("org.fastvideo.test.cache", "1.0.0",
                 fastvideo::detail::item("cache", "every_other", "policy", cache_interface))
