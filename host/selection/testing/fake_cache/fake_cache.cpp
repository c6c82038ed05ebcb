// A caching strategy for the host's tests: it leaves out the steps that its data file says, or breaks as it is told.
#include <cmath>
#include <fastvideo/calibration.hpp>
#include <fastvideo/plugin.hpp>

#include "host/selection/testing/throwing.hpp"

namespace {

class EveryOtherSession : public fastvideo::CacheSession {
 public:
  EveryOtherSession(int64_t period, std::string fault, bool ahead = false, int64_t branches = 1)
      : period_(period), fault_(std::move(fault)), branches_(branches) {
    plan_.is_static = ahead;
    plan_.cut = {fault_ == "cut" ? static_cast<uint32_t>(FV_CUT_BLOCKS) : static_cast<uint32_t>(FV_CUT_MODEL), 0, 1, 0};
    plan_.measures = {{fault_ == "signal" ? "block.9.out" : "latent.in", FV_NORM_L1, FV_MINUS_NOTHING}};
    plan_.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
    if (fault_ == "null_signal") plan_.measures[0].signal = nullptr;
    if (fault_ == "norm") plan_.measures[0].norm = 9;
    if (fault_ == "minus") plan_.measures[0].minus = 7;
    if (fault_ == "keep") plan_.slots[0].keep = 9;
    if (fault_ == "back") plan_.slots[0].back = 100;
    if (fault_ == "other_branch") plan_.slots[0] = {FV_KEEP_BRANCH_DIFFERENCE, 0, 5, 0};
    if (fault_ == "own_branch") plan_.slots[0] = {FV_KEEP_BRANCH_DIFFERENCE, 0, 0, 0};
  }
  const fastvideo::CachePlan& plan() const override { return plan_; }
  std::vector<fastvideo::CacheDecision> schedule(std::span<const double> measurements) override {
    std::vector<fastvideo::CacheDecision> all;
    for (size_t step = 0; step < measurements.size(); ++step)
      for (int64_t branch = 0; branch < branches_; ++branch) {
        fv_cache_point point{};
        point.step = static_cast<int32_t>(step);
        all.push_back(decide(point, measurements.subspan(step, 1)));
      }
    return all;
  }
  fastvideo::CacheDecision decide(const fv_cache_point& point, std::span<const double> measurements) override {
    if (fault_ == "decide") throw std::runtime_error("decide broke");
    if (measurements[0] != point.step) throw std::runtime_error("measurements are not those of this step");
    if (point.step % period_ == 0 && fault_ != "hasty") return fastvideo::CacheDecision::computed();
    if (fault_ == "nan") return fastvideo::CacheDecision::combined({std::nan(""), 1});
    if (fault_ == "infinite") return fastvideo::CacheDecision::combined({1, HUGE_VAL});
    return fastvideo::CacheDecision::combined({1, 1});
  }

 private:
  int64_t period_;
  std::string fault_;
  int64_t branches_;
  fastvideo::CachePlan plan_;
};

class EveryOther : public fastvideo::CacheStrategy {
 public:
  explicit EveryOther(const fastvideo::Options& options)
      : fault_(options.string("fault")), ahead_(options.boolean("ahead")) {
    const fv_value* measured = options.find("period");  // where a calibration's file is given
    const fv_value* table = measured != nullptr ? measured : options.find("table");
    period_ = table->as.entries[0].value.as.integer;
  }
  std::string refuses(const fv_cache_session_info& info) const override {
    return info.steps < 2 ? "one step leaves nothing to skip; take two" : "";
  }
  std::unique_ptr<fastvideo::CacheSession> open(const fv_cache_session_info& info) override {
    return std::make_unique<EveryOtherSession>(period_, fault_, ahead_, info.branches);
  }

 private:
  std::string fault_;
  bool ahead_;
  int64_t period_ = 1;
};

// Counts the runs and computes every step of them.
class Counting : public fastvideo::CacheCalibration {
 public:
  fastvideo::CacheStrategy& stand_in() override { return stand_in_; }
  std::string finish() override { return "{\"period\": " + std::to_string(stand_in_.runs) + "}\n"; }

 private:
  struct StandIn : fastvideo::CacheStrategy {
    int64_t runs = 0;
    std::string refuses(const fv_cache_session_info&) const override { return ""; }
    std::unique_ptr<fastvideo::CacheSession> open(const fv_cache_session_info&) override {
      ++runs;
      return std::make_unique<EveryOtherSession>(1, "none");
    }
  };
  StandIn stand_in_;
};

// What FAKE_DOES says to overwrite in what was lent.
void spoil(std::string_view function, fv_cache_decision& decision) {
  static double own[8] = {};
  const std::string_view act = fastvideo::test::told_to(function);
  if (act == "struct_size") decision.struct_size = 0;
  if (act == "null_pointer") decision.coefficients = nullptr;
  if (act == "odd_pointer") decision.coefficients = reinterpret_cast<double*>(16);
  if (act == "own_pointer") decision.coefficients = own;
}
void spoil(fv_cache_support& support) {
  const std::string_view act = fastvideo::test::told_to("cache.supports");
  if (act == "neither") support.supported = 7;
  if (act == "null_pointer") support = {0, 0, {nullptr, 0, 0}};
}

const void* cache_interface(const char* id) {
  using Table = fastvideo::detail::CacheTable<EveryOther>;
  using fastvideo::test::spoil_text_in, fastvideo::test::throw_in;
  if (std::string_view(id) == FV_CALIBRATION_INTERFACE) {
    using Calibration = fastvideo::detail::CalibrationTable<Table, Counting>;
    static fv_calibration_interface table =
        *static_cast<const fv_calibration_interface*>(Calibration::get_interface(FV_CALIBRATION_INTERFACE));
    table.create = [](auto... args) {
      return throw_in("calibration.create") ? fv_status{FV_CANCELLED} : Calibration::create(args...);
    };
    table.stand_in = [](auto... args) {
      return throw_in("calibration.stand_in") ? fv_status{FV_CANCELLED} : Calibration::stand_in(args...);
    };
    table.finish = [](fv_calibration* calibration, const fv_calibration_writer* writer, fv_text* error) {
      if (throw_in("calibration.finish")) return fv_status{FV_CANCELLED};
      const std::string_view act = fastvideo::test::told_to("calibration.finish");
      if (act == "null_text") writer->write(writer->context, nullptr, 5);
      if (act == "too_long") writer->write(writer->context, std::string(17u << 20, ' ').c_str(), 17u << 20);
      return Calibration::finish(calibration, writer, error);
    };
    table.destroy = [](auto... args) { Calibration::destroy(args...), throw_in("calibration.destroy"); };
    return &table;
  }
  static fv_cache_interface table = *static_cast<const fv_cache_interface*>(Table::get_interface(FV_CACHE_INTERFACE));
  table.create = [](auto... args) {
    return throw_in("cache.create") ? fv_status{FV_CANCELLED} : Table::create(args...);
  };
  table.supports = [](fv_cache_strategy* s, const fv_cache_session_info* info, fv_cache_support* support,
                      fv_text* error) {
    if (throw_in("cache.supports")) return fv_status{FV_CANCELLED};
    const fv_status status = Table::supports(s, info, support, error);
    spoil(*support);
    return status;
  };
  table.open = [](fv_cache_strategy* s, const fv_cache_session_info* info, fv_cache_session** session,
                  fv_cache_plan* plan, fv_text* error) {
    if (throw_in("cache.open")) return fv_status{FV_CANCELLED};
    const fv_status status = Table::open(s, info, session, plan, error);
    if (fastvideo::test::told_to("cache.open") == "struct_size") plan->struct_size = 0;
    return status;
  };
  table.schedule = [](fv_cache_session* session, const double* measurements, fv_cache_decision* const* decisions,
                      fv_text* error) {
    spoil_text_in("cache.schedule", error);
    if (throw_in("cache.schedule")) return fv_status{FV_CANCELLED};
    const fv_status status = Table::schedule(session, measurements, decisions, error);
    spoil("cache.schedule", **decisions);
    return status;
  };
  table.decide = [](fv_cache_session* session, const fv_cache_point* point, const double* measurements,
                    fv_cache_decision* decision, fv_text* error) {
    spoil_text_in("cache.decide", error);
    if (throw_in("cache.decide")) return fv_status{FV_CANCELLED};
    const fv_status status = Table::decide(session, point, measurements, decision, error);
    spoil("cache.decide", *decision);
    return fastvideo::test::told_to("cache.decide") == "odd_status" ? fv_status{99} : status;
  };
  table.observe = [](auto... args) {
    return throw_in("cache.observe") ? fv_status{FV_CANCELLED} : Table::observe(args...);
  };
  table.close = [](auto... args) { Table::close(args...), throw_in("cache.close"); };
  table.destroy = [](auto... args) { Table::destroy(args...), throw_in("cache.destroy"); };
  return std::string_view(id) == FV_CACHE_INTERFACE ? &table : nullptr;
}

}  // namespace

FASTVIDEO_PLUGIN(fastvideo::detail::item("cache", "every_other", "policy", cache_interface))
