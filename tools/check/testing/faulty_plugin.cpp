// A plugin of every kind that breaks one rule at a time: the default of its option 'fault' says which. With "none" it
// keeps all rules.
#include <sys/stat.h>
#include <sys/time.h>

#include <atomic>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fastvideo/plugin.hpp>
#include <limits>
#include <thread>
#include <vector>

namespace {

using fastvideo::Options;
using fastvideo::Support;

// The library's only item is created first, and sets the fault from then on.
std::string& fault() {
  static std::string name = "none";
  return name;
}
bool is(const std::string& name) { return fault() == name; }

// "throws in run"
void throw_in(const char* function) {
  if (is(std::string("throws in ") + function)) throw std::runtime_error("thrown on purpose");
}

void break_down() {
  if (is("crashes")) std::raise(SIGSEGV);
  if (is("aborts")) std::abort();
  if (is("exits")) std::_Exit(0);
  if (is("calls_exit")) std::exit(0);
  if (is("hangs")) std::this_thread::sleep_for(std::chrono::hours(1));
  if (is("throws_int")) throw 5;
  if (is("prints")) std::fputs("hello from a plugin", stdout), std::fflush(stdout);
}

// Changes to the state of the process: some that show at once, some that do harm much later.
void take_over() {
  ::umask(077);
  std::fesetround(FE_UPWARD);
  std::signal(SIGTERM, SIG_IGN);
  ::setenv("OMP_NUM_THREADS", "1", 1);
  const itimerval in_an_hour{{}, {3600, 0}};
  ::setitimer(ITIMER_VIRTUAL, &in_an_hour, nullptr);
}

// ---- Attention ----

// The score of query i and key j of row b and head h, minus infinity if a mask stands between them.
double masked(const fv_attention_site& site, const fv_attention_args& args, double score, int64_t b, int64_t h,
              int64_t i, int64_t j) {
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  const int64_t shift = is("aligns_at_the_end") ? args.k->shape[1] - args.q->shape[1] : 0;
  if ((site.masks & FV_MASK_CAUSAL) != 0 && j > i + shift) return kNever;
  if (args.key_lengths != nullptr && j >= fastvideo::TensorView<const int32_t, 1>(*args.key_lengths)(b)) return kNever;
  if (args.mask == nullptr || (is("one_mask") && args.key_lengths != nullptr)) return score;
  if (args.mask->dtype.code == FV_BOOL)
    return fastvideo::TensorView<const bool, 4>(*args.mask).broadcast(b, h, i, j) ? score : kNever;
  return score + double{fastvideo::TensorView<const float, 4>(*args.mask).broadcast(b, h, i, j)};
}

void formula(const fv_attention_site& site, const fv_attention_args& args) {
  const fastvideo::TensorView<const float, 4> q(*args.q), k(*args.k), v(*args.v);
  const fastvideo::TensorView<float, 4> out(*args.out);
  const int64_t size = q.size(3), group = q.size(2) / k.size(2);
  const double scale = is("ignores_scale") ? 1 / std::sqrt(static_cast<double>(size)) : site.scale;
  for (int64_t b = 0; b < q.size(0); ++b)
    for (int64_t i = 0; i < q.size(1) - (is("leaves_a_row") ? 1 : 0); ++i)
      for (int64_t h = 0; h < q.size(2); ++h) {
        std::vector<double> sum(static_cast<size_t>(size), 0.0);
        double total = 0;
        for (int64_t j = is("skips_a_key") && k.size(1) > 1 ? 1 : 0; j < k.size(1); ++j) {
          const float *query = &q(b, i, h, 0), *key = &k(b, j, h / group, 0), *value = &v(b, j, h / group, 0);
          double score = 0;
          for (int64_t d = 0; d < size; ++d) score += double{query[d]} * key[d];
          const double weight = std::exp(masked(site, args, scale * score, b, h, i, j));
          total += weight;
          for (int64_t d = 0; d < size; ++d) sum[static_cast<size_t>(d)] += weight * value[d];
        }
        const double some = total == 0 && !is("divides_by_nothing") ? 1 : total;
        for (int64_t d = 0; d < size; ++d) out(b, i, h, d) = static_cast<float>(sum[static_cast<size_t>(d)] / some);
        if (total == 0 && is("means_of_nothing")) out(b, i, h, 0) = 0.5F;
        if (args.log_sum_exp != nullptr)
          fastvideo::TensorView<float, 3> (*args.log_sum_exp)(b, h, i) =
              total == 0 && is("sums_to_nothing") ? 0 : static_cast<float>(std::log(total));
        if (is("writes_behind_rows")) *(&out(b, i, h, size - 1) + 1) = 0;
        if (is("changes_inputs")) const_cast<float&>(q(b, i, h, 0)) = 0;
      }
}

class Attention : public fastvideo::AttentionBackend {
 public:
  explicit Attention(const Options& options) {
    fault() = options.string("fault");
    if (is("refuses_create")) throw fastvideo::Refused("create broke");
    if (is("starts_full")) throw std::bad_alloc();
  }
  Support supports(const fv_attention_site& site) const override {
    if (is("moody") && ++asked_ % 2 == 0) return Support::yes(FV_NUMERICS_EXACT, 1);
    if (is("no_reason")) return Support::no("");
    if (is("serves_nothing")) return Support::no("only on Sundays");
    if (is("odd_numerics")) return Support::yes(99);
    if (is("takes_over")) take_over();
    if (is("worse")) return Support::yes(FV_NUMERICS_APPROXIMATE);
    if (is("fails_outside") && site.dtype.code == FV_INT) throw std::runtime_error("what is this type?");
    if ((site.require & ~uint64_t{FV_REQUIRE_LOG_SUM_EXP}) != 0) return Support::no("cannot be captured");
    if ((site.masks & ~(FV_MASK_CAUSAL | FV_MASK_KEY_LENGTHS | FV_MASK_BOOLEAN | FV_MASK_BIAS)) != 0)
      return Support::no("knows four kinds of masks");
    return Support::yes(FV_NUMERICS_EXACT);
  }
  void run(const fv_attention_site& site, const fv_attention_args& args) override { formula(site, args); }
  std::unique_ptr<fastvideo::AttentionPlan> plan(const fv_attention_site& site) override {
    return is("gives_null") ? nullptr : AttentionBackend::plan(site);
  }

 private:
  mutable std::atomic<int> asked_{0};
};

using AttentionTable = fastvideo::detail::AttentionTable<Attention>;

// Faults that the C++ layer of the SDK prevents are put into the table itself.
const fv_attention_interface* attention_table() {
  static fv_attention_interface table = [] {
    fv_attention_interface t =
        *static_cast<const fv_attention_interface*>(AttentionTable::get_interface(FV_ATTENTION_INTERFACE));
    t.create = [](const fv_services* host, const fv_entry* options, uint32_t count, fv_attention** made,
                  fv_text* error) {
      const fv_status status = AttentionTable::create(host, options, count, made, error);
      if (is("throws in create")) AttentionTable::destroy(*made), throw_in("create");
      return status;
    };
    t.supports = [](fv_attention* b, const fv_attention_site* site, fv_attention_support* support, fv_text* error) {
      throw_in("supports");
      if (is("moves_the_reason")) support->reason = {nullptr, 0, 0};
      if (is("writes_null_text")) error->data[0] = 'x';
      if (is("takes_any_bits")) {
        support->supported = 1;
        return fv_status{FV_OK};
      }
      if (is("reads_too_far") && site->struct_size > sizeof(fv_attention_site)) {
        support->supported = 0;
        fastvideo::write_text(&support->reason, "a struct of another size");
        return fv_status{FV_OK};
      }
      return AttentionTable::supports(b, site, support, error);
    };
    t.plan = [](fv_attention* b, const fv_attention_site* site, fv_attention_plan** plan, fv_attention_plan_info* info,
                fv_text* error) {
      throw_in("plan");
      if (is("no_plan")) return fv_status{FV_OK};
      const fv_status status = AttentionTable::make_plan(b, site, plan, info, error);
      if (is("greedy")) info->scratch_bytes = uint64_t{1} << 40;
      if (is("absurd")) info->scratch_bytes = uint64_t{1} << 60;
      if (is("odd_plan")) info->numerics = 99;
      if (is("moves_the_text") && error != nullptr) *error = {nullptr, 0, 0};
      return status;
    };
    t.prepare = [](auto... args) { return throw_in("prepare"), AttentionTable::prepare(args...); };
    t.destroy_plan = [](auto... args) { AttentionTable::destroy_plan(args...), throw_in("destroy_plan"); };
    t.run = [](fv_attention_plan* plan, const fv_attention_args* args, fv_text* error) {
      break_down();
      throw_in("run");
      if (args->step == 0) throw_in("the first step");
      if (args->steps > 0 && args->step == args->steps - 1) throw_in("the last step");
      return AttentionTable::run(plan, args, error);
    };
    t.destroy = [](fv_attention* b) {
      if (is("crashes_at_the_end")) std::raise(SIGSEGV);
      AttentionTable::destroy(b);
      throw_in("destroy");
    };
    return t;
  }();
  return &table;
}

const void* attention_interface(const char* id) {
  return std::string_view(id) == FV_ATTENTION_INTERFACE ? attention_table() : nullptr;
}

// ---- Caching ----

class EveryOther : public fastvideo::CacheSession {
 public:
  EveryOther() {
    plan_.cut = {FV_CUT_MODEL, 0, 0, 0};
    plan_.measures = {{is("odd_signal") ? "weather" : "latent.in", FV_NORM_L1, FV_MINUS_PREVIOUS}};
    plan_.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
    if (is("odd_cut")) plan_.cut = {FV_CUT_BLOCKS, 3, 99, 0};
    if (is("differs_from_itself")) {
      plan_.cut = {FV_CUT_BRANCH, 1, 0, 0};
      plan_.slots = {{FV_KEEP_BRANCH_DIFFERENCE, 0, 1, 0}};
    }
  }
  const fastvideo::CachePlan& plan() const override { return plan_; }
  fastvideo::CacheDecision decide(const fv_cache_point& point, std::span<const double>) override {
    static int decided = 0;
    ++decided;
    break_down();
    const int32_t step = is("hasty") ? point.step + 1 : point.step;
    if (is("forgetful") ? decided % 3 != 0 : step % 2 == 0) return fastvideo::CacheDecision::computed();
    return fastvideo::CacheDecision::combined({is("not_a_number") ? std::nan("") : 1.0, 1.0});
  }

 private:
  fastvideo::CachePlan plan_;
};

class Strategy : public fastvideo::CacheStrategy {
 public:
  explicit Strategy(const Options& options) { fault() = options.string("fault"); }
  std::string refuses(const fv_cache_session_info& info) const override {
    if ((info.cuts & FV_CUT_MODEL) == 0 && !is("needs_no_cut")) return "the pipeline cannot leave out the model";
    if (is("takes_nothing")) return "only on Sundays";
    return info.signal_count == 0 ? "the pipeline measures nothing" : "";
  }
  std::unique_ptr<fastvideo::CacheSession> open(const fv_cache_session_info&) override {
    if (is("gives_null")) return nullptr;
    return std::make_unique<EveryOther>();
  }
};

const void* cache_interface(const char* id) {
  using Table = fastvideo::detail::CacheTable<Strategy>;
  static fv_cache_interface table = [] {
    fv_cache_interface t = *static_cast<const fv_cache_interface*>(Table::get_interface(FV_CACHE_INTERFACE));
    t.create = [](const fv_services* host, const fv_entry* options, uint32_t count, fv_cache_strategy** made,
                  fv_text* error) {
      const fv_status status = Table::create(host, options, count, made, error);
      if (is("throws in create")) Table::destroy(*made), throw_in("create");
      return status;
    };
    t.supports = [](auto... args) { return throw_in("supports"), Table::supports(args...); };
    t.open = [](auto... args) { return throw_in("open"), Table::open(args...); };
    t.observe = [](auto... args) { return throw_in("observe"), Table::observe(args...); };
    t.close = [](auto... args) { Table::close(args...), throw_in("close"); };
    t.destroy = [](auto... args) { Table::destroy(args...), throw_in("destroy"); };
    t.decide = [](fv_cache_session* session, const fv_cache_point* point, const double* measurements,
                  fv_cache_decision* decision, fv_text* error) {
      throw_in("decide");
      const fv_status status = Table::decide(session, point, measurements, decision, error);
      if (is("odd_action")) decision->action = 7;
      if (is("moves_coefficients")) decision->coefficients = nullptr;
      return status;
    };
    return t;
  }();
  return std::string_view(id) == FV_CACHE_INTERFACE ? &table : nullptr;
}

// ---- Pipelines, which are created without options: the setting run.threads selects the fault ----

struct Pipeline {};

fv_status create_pipeline(const fv_services* host, const char* folder, fv_pipeline** pipeline, fv_text* error) {
  const auto* configuration = static_cast<const fv_configuration_service*>(host->get(host, FV_CONFIGURATION_SERVICE));
  const fv_value* threads = configuration->get(configuration->context, "run.threads");
  const int64_t what = threads == nullptr ? 0 : threads->as.integer;
  if (what == 2) std::raise(SIGSEGV);
  if (what == 3) {
    *pipeline = reinterpret_cast<fv_pipeline*>(new Pipeline);
    return FV_OK;
  }
  if (what == 4) return FV_FAILED;
  if (what == 5) return FV_REFUSED;
  if (what == 6) throw std::runtime_error("thrown on purpose");
  fastvideo::write_text(error, std::string(folder) + " holds no model");
  return FV_REFUSED;
}

const void* pipeline_interface(const char* id) {
  static const fv_pipeline_interface table = {
      sizeof(fv_pipeline_interface),
      0,
      create_pipeline,
      [](fv_pipeline* pipeline) { delete reinterpret_cast<Pipeline*>(pipeline); },
      [](fv_pipeline*, const fv_pipeline_request*, const fv_pipeline_plan_sink*, fv_text*) {
        return fv_status{FV_FAILED};
      },
      [](fv_pipeline*, const fv_services*, const fv_pipeline_request*, const fv_pipeline_sink*, fv_text*) {
        return fv_status{FV_FAILED};
      }};
  return std::string_view(id) == FV_PIPELINE_INTERFACE ? &table : nullptr;
}

}  // namespace

#if defined(FAULTY_KIND_attention)
FASTVIDEO_PLUGIN(fastvideo::detail::item("attention", "FAULTY", "cpu", attention_interface))
#elif defined(FAULTY_KIND_cache)
FASTVIDEO_PLUGIN(fastvideo::detail::item("cache", "FAULTY", "cpu", cache_interface))
#else
FASTVIDEO_PLUGIN(fastvideo::detail::item("pipeline", "FAULTY", "cpu", pipeline_interface))
#endif
