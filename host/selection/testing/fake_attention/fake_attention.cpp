// Attention backends for the host's tests: the formula in float64, under several names, with faults on demand.
#include <fastvideo/matrix_product.h>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <fastvideo/plugin.hpp>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <numeric>
#include <vector>

#include "host/selection/testing/throwing.hpp"

namespace {

using fastvideo::Options;
using fastvideo::Support;

// What a library under a plugin may do while it is opened.
[[maybe_unused]] const bool is_told_at_opening = fastvideo::test::throw_in("attention.dlopen");

// out = softmax(scale q k^T) v for float32 on the CPU.
void formula(const fv_attention_site& site, const fv_attention_args& args) {
  const fastvideo::TensorView<const float, 4> q(*args.q), k(*args.k), v(*args.v);
  const fastvideo::TensorView<float, 4> out(*args.out);
  const int64_t group = q.size(2) / k.size(2);
  std::vector<double> weight(static_cast<size_t>(k.size(1)));
  for (int64_t b = 0; b < q.size(0); ++b)
    for (int64_t h = 0; h < q.size(2); ++h)
      for (int64_t i = 0; i < q.size(1); ++i) {
        double top = -std::numeric_limits<double>::infinity(), total = 0;
        for (int64_t j = 0; j < k.size(1); ++j) {
          double score = 0;
          for (int64_t d = 0; d < q.size(3); ++d) score += double{q(b, i, h, d)} * k(b, j, h / group, d);
          weight[j] = site.scale * score;
          top = std::max(top, weight[j]);
        }
        for (double& w : weight) total += w = std::exp(w - top);
        for (int64_t d = 0; d < q.size(3); ++d) {
          double sum = 0;
          for (int64_t j = 0; j < k.size(1); ++j) sum += weight[j] * v(b, j, h / group, d);
          out(b, i, h, d) = static_cast<float>(sum / total);
        }
      }
}

class Formula : public fastvideo::AttentionBackend {
 public:
  Support supports(const fv_attention_site&) const override { return Support::yes(FV_NUMERICS_EXACT, 20); }
  void run(const fv_attention_site& site, const fv_attention_args& args) override { formula(site, args); }
};

// A plan that needs memory, is filled by prepare, and breaks as it is told.
class SwiftPlan : public fastvideo::AttentionPlan {
 public:
  SwiftPlan(const fv_attention_site& site, std::string fault) : site_(site), fault_(std::move(fault)) {}
  void describe(fv_attention_plan_info& info) const override {
    info.numerics = fault_ == "worse" ? FV_NUMERICS_APPROXIMATE : FV_NUMERICS_REORDERED;
    info.resident_bytes = 1024;
    info.scratch_bytes = 4096;
    info.kernel = "swift_kernel";
  }
  void prepare(void* resident, void*) override {
    if (fault_ == "prepare") throw std::runtime_error("prepare broke");
    if (resident == nullptr || reinterpret_cast<uintptr_t>(resident) % 256 != 0)
      throw std::runtime_error("resident memory is missing or not aligned");
    prepared_ = true;
  }
  void run(const fv_attention_args& args) override {
    if (fault_ == "run") throw std::runtime_error("run broke in layer " + std::to_string(args.layer));
    if (!prepared_) throw std::runtime_error("run before prepare");
    fv_attention_site site = site_.get();
    if (fault_ == "inaccurate") site.scale *= 1.01;
    formula(site, args);
  }

 private:
  fastvideo::AttentionSiteCopy site_;
  std::string fault_;
  bool prepared_ = false;
};

class Swift : public fastvideo::AttentionBackend {
 public:
  explicit Swift(const Options& options) : fault_(options.string("fault")) {
    if (fault_ == "create") throw fastvideo::Refused("create broke");
  }
  Support supports(const fv_attention_site&) const override {
    if (fault_ == "supports") throw std::runtime_error("supports broke");
    return Support::yes(fault_ == "numerics" ? FV_NUMERICS_APPROXIMATE : FV_NUMERICS_REORDERED, 10, "swift");
  }
  std::unique_ptr<fastvideo::AttentionPlan> plan(const fv_attention_site& site) override {
    if (fault_ == "plan") throw std::runtime_error("plan broke");
    if (fault_ == "refuses_plan") throw fastvideo::Refused("no licence key; ask for one");
    if (fault_ == "full_plan") throw std::bad_alloc();
    return std::make_unique<SwiftPlan>(site, fault_);
  }

 private:
  std::string fault_;
};

class Picky : public fastvideo::AttentionBackend {
 public:
  Support supports(const fv_attention_site&) const override { return Support::no("head size 7 only"); }
};

std::vector<int64_t> order_called(std::string_view name, int64_t tokens) {
  std::vector<int64_t> order(static_cast<size_t>(tokens));
  std::iota(order.begin(), order.end(), 0);
  if (name == "reverse") std::reverse(order.begin(), order.end());
  if (name == "rotate") std::rotate(order.begin(), order.begin() + 1, order.end());
  if (name == "twice") order.back() = order.front();
  if (name == "outside") order.back() = tokens;
  if (name == "short") order.pop_back();
  return order;
}

class TiledPlan : public fastvideo::AttentionPlan {
 public:
  TiledPlan(const fv_attention_site& site, std::string_view order)
      : site_(site), order_(order_called(order, site.query_length)) {}
  void describe(fv_attention_plan_info& info) const override {
    info.numerics = FV_NUMERICS_APPROXIMATE;
    info.token_order = order_.data();
    info.token_count = static_cast<int64_t>(order_.size());
  }
  void run(const fv_attention_args& args) override { formula(site_.get(), args); }

 private:
  fastvideo::AttentionSiteCopy site_;
  std::vector<int64_t> order_;
};

class Tiled : public fastvideo::AttentionBackend {
 public:
  explicit Tiled(const Options& options)
      : order_(options.has("order") ? options.string("order") : "rotate"),
        estimate_(options.has("estimate") ? options.number("estimate") : 1) {}
  Support supports(const fv_attention_site&) const override { return Support::yes(FV_NUMERICS_APPROXIMATE, estimate_); }
  std::unique_ptr<fastvideo::AttentionPlan> plan(const fv_attention_site& site) override {
    return std::make_unique<TiledPlan>(site, order_);
  }

 private:
  std::string order_;
  double estimate_;
};

class Recorder : public fastvideo::AttentionBackend {
 public:
  explicit Recorder(const Options& options) : file_(options.has("file") ? options.string("file") : "") {}
  ~Recorder() override {
    if (file_.empty()) return;
    std::ofstream file(file_);
    for (const auto& [role, calls] : calls_) file << role << ' ' << calls << '\n';
  }
  Support supports(const fv_attention_site&) const override { return Support::yes(FV_NUMERICS_EXACT, 30); }
  void run(const fv_attention_site& site, const fv_attention_args& args) override {
    {
      const std::lock_guard lock(mutex_);
      ++calls_[site.role];
    }
    formula(site, args);
    const std::string_view role = fastvideo::test::told_to("attention.nan");
    if (role != site.role || args.step > 0 || args.layer != 1 || has_given_nan_.exchange(true)) return;
    fastvideo::TensorView<float, 4> (*args.out)(0, 0, 0, 0) = std::numeric_limits<float>::quiet_NaN();
  }

 private:
  std::string file_;
  std::atomic<bool> has_given_nan_{false};
  std::mutex mutex_;
  std::map<std::string, int64_t> calls_;
};

// What FAKE_DOES says to overwrite in what was lent.
void spoil(fv_attention_support& support) {
  const std::string_view act = fastvideo::test::told_to("attention.supports");
  if (act == "neither") support.supported = 7;
  if (act == "numerics") support.numerics = 99;
  if (act == "null_pointer") support = {0, 0, 0, 0, 0, {nullptr, 0, 0}};
}
void spoil(fv_attention_plan_info& info) {
  const std::string_view act = fastvideo::test::told_to("attention.plan");
  if (act == "struct_size") info.struct_size = 0;
  if (act == "numerics") info.numerics = 99;
  if (act == "depends") info.depends = 9;
  if (act == "can_capture") info.can_capture = 2;
  if (act == "resident") info.resident_bytes = uint64_t{1} << 60;
  if (act == "scratch") info.scratch_bytes = uint64_t{1} << 60;
  if (act == "both") info.resident_bytes = info.scratch_bytes = uint64_t{1} << 63;
}

// Breaks the contract in ways that the C++ layer would not: a plan that is none, and exceptions.
const void* swift_interface(const char* id) {
  using Table = fastvideo::detail::AttentionTable<Swift>;
  const auto* usual = static_cast<const fv_attention_interface*>(Table::get_interface(id));
  if (usual == nullptr) return nullptr;
  static fv_attention_interface table = *usual;
  using fastvideo::test::throw_in;
  table.create = [](auto... args) {
    return throw_in("attention.create") ? fv_status{FV_CANCELLED} : Table::create(args...);
  };
  table.supports = [](fv_attention* backend, const fv_attention_site* site, fv_attention_support* support,
                      fv_text* error) {
    if (throw_in("attention.supports")) return fv_status{FV_CANCELLED};
    const fv_status status = Table::supports(backend, site, support, error);
    spoil(*support);
    return status;
  };
  table.prepare = [](auto... args) {
    return throw_in("attention.prepare") ? fv_status{FV_CANCELLED} : Table::prepare(args...);
  };
  table.run = [](auto... args) { return throw_in("attention.run") ? fv_status{FV_CANCELLED} : Table::run(args...); };
  table.destroy_plan = [](auto... args) { Table::destroy_plan(args...), throw_in("attention.destroy_plan"); };
  table.destroy = [](auto... args) { Table::destroy(args...), throw_in("attention.destroy"); };
  static const auto plan = usual->plan;
  table.plan = [](fv_attention* backend, const fv_attention_site* site, fv_attention_plan** made,
                  fv_attention_plan_info* info, fv_text* error) {
    fastvideo::test::spoil_text_in("attention.plan", error);
    if (throw_in("attention.plan")) return fv_status{FV_CANCELLED};
    const fv_status status = plan(backend, site, made, info, error);
    if (status == FV_OK && std::string_view(info->kernel) == "swift_kernel" && site->layers == 77) {
      Table::destroy_plan(*made);
      *made = nullptr;
    }
    if (status == FV_OK) spoil(*info);
    return status;
  };
  return &table;
}

// A plain product in float32 beside the backend.
fv_status multiply(const fv_tensor* left, const fv_tensor* right, const fv_tensor* out, void*, fv_text* error) {
  fastvideo::test::throw_in("attention.multiply");
  return fastvideo::guard(error, [&] {
    const fastvideo::TensorView<const float, 2> a(*left), b(*right);
    const fastvideo::TensorView<float, 2> c(*out);
    const int64_t columns = c.size(1);
    for (int64_t i = 0; i < c.size(0); ++i) {
      float* sums = &c(i, 0);  // rows, since calls of c(i, j) take half a minute under AddressSanitizer
      std::fill_n(sums, columns, 0.0F);
      for (int64_t k = 0; k < a.size(1); ++k) {
        const float factor = a(i, k);
        const float* row = &b(k, 0);
        for (int64_t j = 0; j < columns; ++j) sums[j] += factor * row[j];
      }
    }
  });
}

const void* recorder_interface(const char* id) {
  static const fv_matrix_product_interface table = {sizeof(fv_matrix_product_interface), 0, multiply};
  if (std::string_view(id) == FV_MATRIX_PRODUCT_INTERFACE) return &table;
  return fastvideo::detail::AttentionTable<Recorder>::get_interface(id);
}

}  // namespace

FASTVIDEO_PLUGIN(fastvideo::attention<Formula>("FORMULA", "cpu"),
                 fastvideo::detail::item("attention", "SWIFT", "cpu", swift_interface),
                 fastvideo::attention<Formula>("SWIFT", "gpu"), fastvideo::attention<Picky>("SWIFT", "picky"),
                 fastvideo::attention<Tiled>("TILED", "cpu"), fastvideo::attention<Tiled>("TILED", "other"),
                 fastvideo::detail::item("attention", "RECORDER", "cpu", recorder_interface))
