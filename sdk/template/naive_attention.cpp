// The smallest attention backend: softmax(scale q k^T + bias) v (Vaswani et al. 2017, equation 1), unoptimised, for
// float32 on the CPU.
#include <algorithm>
#include <cmath>
#include <fastvideo/plugin.hpp>
#include <limits>
#include <vector>

class NaiveAttention : public fastvideo::AttentionBackend {
 public:
  explicit NaiveAttention(const fastvideo::Host& host, const fastvideo::Options&) : host_(host) {}

  // The manifest states the limits in general; supports() decides for one site.
  fastvideo::Support supports(const fv_attention_site& site) const override {
    if (site.require != 0) return fastvideo::Support::no("gives no log-sum-exp and cannot be captured");
    return fastvideo::Support::yes(FV_NUMERICS_EXACT);
  }

  void run(const fv_attention_site& site, const fv_attention_args& args) override {
    const fastvideo::TensorView<const float, 4> q(*args.q), k(*args.k), v(*args.v);
    const fastvideo::TensorView<float, 4> out(*args.out);
    const int64_t queries = q.size(1), keys = k.size(1), heads = q.size(2), size = q.size(3);
    const int64_t group = heads / k.size(2);  // query heads that share a key head

    // One row of scores at a time: (batch, head, query).
    host_.parallel_for(q.size(0) * heads * queries, 16, [&](int64_t begin, int64_t end) {
      std::vector<double> weight(keys), sum(size);
      for (int64_t row = begin; row < end; ++row) {
        const int64_t b = row / (heads * queries), h = row / queries % heads, i = row % queries;
        double top = -std::numeric_limits<double>::infinity(), total = 0;
        for (int64_t j = 0; j < keys; ++j) {
          double score = 0;
          for (int64_t d = 0; d < size; ++d) score += double{q(b, i, h, d)} * k(b, j, h / group, d);
          weight[j] = masked(args.mask, site.scale * score, b, h, i, j);
          top = std::max(top, weight[j]);
        }
        std::fill(sum.begin(), sum.end(), 0.0);
        for (int64_t j = 0; j < keys; ++j) {
          const double w = std::isinf(weight[j]) ? 0 : std::exp(weight[j] - top);
          total += w;
          for (int64_t d = 0; d < size; ++d) sum[d] += w * v(b, j, h / group, d);
        }
        for (int64_t d = 0; d < size; ++d) out(b, i, h, d) = static_cast<float>(total > 0 ? sum[d] / total : 0);
      }
    });
  }

 private:
  // A score with its mask: a boolean mask forbids keys where it is false, a bias is added.
  static double masked(const fv_tensor* mask, double score, int64_t b, int64_t h, int64_t i, int64_t j) {
    if (mask == nullptr) return score;
    if (mask->dtype.code != FV_BOOL) return score + fastvideo::TensorView<const float, 4>(*mask).broadcast(b, h, i, j);
    const bool allowed = fastvideo::TensorView<const bool, 4>(*mask).broadcast(b, h, i, j);
    return allowed ? score : -std::numeric_limits<double>::infinity();
  }

  fastvideo::Host host_;
};

FASTVIDEO_PLUGIN(fastvideo::attention<NaiveAttention>("NAIVE_ATTN", "cpu"))
