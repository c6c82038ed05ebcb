// Backends that look into a run from outside: one writes down every call, one asks for a random token order, one fails.
#include <algorithm>
#include <cmath>
#include <fastvideo/plugin.hpp>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

using fastvideo::Host;
using fastvideo::Options;
using fastvideo::Support;
using fastvideo::TensorView;

constexpr double kNever = -std::numeric_limits<double>::infinity();

// One score with what forbids or shifts it.
double masked(const fv_attention_args& args, double score, int64_t b, int64_t h, int64_t i, int64_t j) {
  if (args.key_lengths != nullptr && j >= TensorView<const int32_t, 1>(*args.key_lengths)(b)) return kNever;
  if (args.mask == nullptr) return score;
  if (args.mask->dtype.code == FV_BOOL) {
    return TensorView<const bool, 4>(*args.mask).broadcast(b, h, i, j) ? score : kNever;
  }
  return score + TensorView<const float, 4>(*args.mask).broadcast(b, h, i, j);
}

// softmax(scale q k^T + bias) v in float64 (Vaswani et al. 2017, equation 1).
void formula(const Host& host, double scale, const fv_attention_args& args) {
  const TensorView<const float, 4> q(*args.q), k(*args.k), v(*args.v);
  const TensorView<float, 4> out(*args.out);
  const int64_t queries = q.size(1), keys = k.size(1), heads = q.size(2), size = q.size(3);
  const int64_t group = heads / k.size(2);
  host.parallel_for(q.size(0) * heads * queries, 16, [&](int64_t begin, int64_t end) {
    std::vector<double> weight(static_cast<size_t>(keys));
    for (int64_t row = begin; row < end; ++row) {
      const int64_t b = row / (heads * queries), h = row / queries % heads, i = row % queries;
      for (int64_t j = 0; j < keys; ++j) {
        double score = 0;
        for (int64_t d = 0; d < size; ++d) score += double{q(b, i, h, d)} * k(b, j, h / group, d);
        weight[j] = masked(args, scale * score, b, h, i, j);
      }
      const double top = *std::max_element(weight.begin(), weight.end());
      double total = 0;
      for (double& w : weight) total += w = std::isinf(top) ? 0 : std::exp(w - top);
      for (int64_t d = 0; d < size; ++d) {
        double sum = 0;
        for (int64_t j = 0; j < keys; ++j) sum += weight[j] * v(b, j, h / group, d);
        out(b, i, h, d) = static_cast<float>(total > 0 ? sum / total : 0);
      }
    }
  });
}

// Writes "role layer step branches rows queries keys" for each call.
class Recording final : public fastvideo::AttentionBackend {
 public:
  Recording(const Host& host, const Options& options) : host_(host), file_(std::string(options.string("file"))) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.require != 0) return Support::no("gives no log-sum-exp and cannot be captured");
    return Support::yes(FV_NUMERICS_EXACT);
  }

  void run(const fv_attention_site& site, const fv_attention_args& args) override {
    {
      const std::lock_guard lock(mutex_);
      file_ << site.role << ' ' << args.layer << ' ' << args.step << ' ';
      for (int64_t b = 0; b < args.q->shape[0]; ++b) {
        file_ << (b > 0 ? "," : "") << (args.branches != nullptr ? args.branches[b] : 0);
      }
      file_ << ' ' << args.q->shape[0] << ' ' << args.q->shape[1] << ' ' << args.k->shape[1] << std::endl;
    }
    formula(host_, site.scale, args);
  }

 private:
  Host host_;
  std::mutex mutex_;
  std::ofstream file_;
};

class ShuffledPlan final : public fastvideo::AttentionPlan {
 public:
  ShuffledPlan(const Host& host, const fv_attention_site& site, int64_t seed, std::string trace)
      : host_(host), site_(site), trace_(std::move(trace)) {
    if (seed == 0 || std::string(site.role) != FV_ROLE_DIT_SELF) return;
    order_.resize(static_cast<size_t>(site.grid[0] * site.grid[1] * site.grid[2]));
    std::iota(order_.begin(), order_.end(), int64_t{0});
    std::shuffle(order_.begin(), order_.end(), std::mt19937_64(static_cast<uint64_t>(seed)));
  }

  void describe(fv_attention_plan_info& info) const override {
    info.numerics = FV_NUMERICS_EXACT;
    info.token_order = order_.empty() ? nullptr : order_.data();
    info.token_count = static_cast<int64_t>(order_.size());
  }

  void run(const fv_attention_args& args) override {
    if (!trace_.empty() && std::string(site_.get().role) == FV_ROLE_DIT_SELF) write_trace(args);
    formula(host_, site_.get().scale, args);
  }

 private:
  // For each position of the first call: the raster index that it should hold, and its query.
  void write_trace(const fv_attention_args& args) {
    std::ofstream file(trace_);
    file.precision(9);
    const TensorView<const float, 4> q(*args.q);
    for (int64_t i = 0; i < q.size(1); ++i) {
      file << (order_.empty() ? i : order_[static_cast<size_t>(i)]);
      for (int64_t d = 0; d < q.size(3); ++d) file << ' ' << q(0, i, 0, d);
      file << '\n';
    }
    trace_.clear();
  }

  Host host_;
  fastvideo::AttentionSiteCopy site_;
  std::string trace_;
  std::vector<int64_t> order_;
};

class Shuffled final : public fastvideo::AttentionBackend {
 public:
  Shuffled(const Host& host, const Options& options)
      : host_(host), seed_(options.integer("seed")), trace_(options.has("trace") ? options.string("trace") : "") {}

  Support supports(const fv_attention_site& site) const override {
    if (site.require != 0) return Support::no("gives no log-sum-exp and cannot be captured");
    return Support::yes(FV_NUMERICS_EXACT);
  }

  std::unique_ptr<fastvideo::AttentionPlan> plan(const fv_attention_site& site) override {
    return std::make_unique<ShuffledPlan>(host_, site, seed_, trace_);
  }

 private:
  Host host_;
  int64_t seed_;
  std::string trace_;
};

// Gives NaN in one value of one layer at one step.
class Faulty final : public fastvideo::AttentionBackend {
 public:
  Faulty(const Host& host, const Options& options)
      : host_(host), step_(options.integer("step")), layer_(options.integer("layer")) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.require != 0) return Support::no("gives no log-sum-exp and cannot be captured");
    return Support::yes(FV_NUMERICS_EXACT);
  }

  void run(const fv_attention_site& site, const fv_attention_args& args) override {
    formula(host_, site.scale, args);
    if (args.step == step_ && args.layer == layer_ && (step_ < 0 || std::string(site.role) == FV_ROLE_DIT_SELF))
      TensorView<float, 4> (*args.out)(0, 0, 0, 0) = std::numeric_limits<float>::quiet_NaN();
  }

 private:
  Host host_;
  int64_t step_;
  int64_t layer_;
};

}  // namespace

FASTVIDEO_PLUGIN(fastvideo::attention<Recording>("RECORDING_ATTN", "cpu"),
                 fastvideo::attention<Shuffled>("SHUFFLED_ATTN", "cpu"),
                 fastvideo::attention<Faulty>("FAULTY_ATTN", "cpu"))
