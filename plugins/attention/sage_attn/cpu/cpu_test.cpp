// SAGE_ATTN/cpu through its library: exact properties. Its error against the formula and its rounding are tested by
// tests/accuracy_test.py and tests/on_device.py.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/sage_attn/tests/options.hpp"

namespace fastvideo::sage {
namespace {

constexpr int64_t kTokens = 256, kSize = 16;

// A dense [1, tokens, 1, size] in float32.
class Tensor {
 public:
  explicit Tensor(int64_t tokens = kTokens, int64_t size = kSize)
      : shape_{1, tokens, 1, size}, strides_{tokens * size, size, size, 1}, data_(tokens * size, NAN) {
    view_ = {data_.data(), {FV_DEVICE_CPU, 0}, 4, kFloat32, shape_, strides_, 0};
  }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  float& operator()(int64_t token, int64_t d) { return data_[token * shape_[3] + d]; }
  std::vector<float>& data() { return data_; }
  const fv_tensor* get() const { return &view_; }
  void fill_normal(std::mt19937& random) {
    std::normal_distribution<float> normal;
    for (float& x : data_) x = normal(random);
  }

 private:
  int64_t shape_[4], strides_[4];
  std::vector<float> data_;
  fv_tensor view_{};
};

struct Problem {
  Tensor q, k, v, out;
  fv_attention_site site = test_site(FV_DEVICE_CPU, kFloat32, kTokens, 1, kSize);

  explicit Problem(unsigned seed = 1) {
    std::mt19937 random(seed);
    for (Tensor* t : {&q, &k, &v}) t->fill_normal(random);
  }
  fv_attention_args args() {
    fv_attention_args args{};
    args.struct_size = sizeof(args);
    args.q = q.get();
    args.k = k.get();
    args.v = v.get();
    args.out = out.get();
    args.step = -1;
    return args;
  }
  std::vector<float> run(const TestOptions& options) {
    const auto entries = options.entries();
    AttentionLibrary library(SAGE_ATTN_CPU_LIBRARY, entries);
    std::fill(out.data().begin(), out.data().end(), NAN);
    EXPECT_EQ(library.run(site, args()), FV_OK) << library.message();
    return out.data();
  }
  // The relative error against the formula in float64.
  double error(const std::vector<float>& result) {
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < kTokens; ++i) {
      std::vector<double> score(kTokens), row(kSize);
      for (int64_t j = 0; j < kTokens; ++j)
        for (int64_t d = 0; d < kSize; ++d) score[j] += double{q(i, d)} * double{k(j, d)} * site.scale;
      const double top = *std::max_element(score.begin(), score.end());
      double total = 0;
      for (int64_t j = 0; j < kTokens; ++j) {
        const double p = std::exp(score[j] - top);
        total += p;
        for (int64_t d = 0; d < kSize; ++d) row[d] += p * double{v(j, d)};
      }
      for (int64_t d = 0; d < kSize; ++d) {
        const double x = row[d] / total;
        difference += (x - double{result[i * kSize + d]}) * (x - double{result[i * kSize + d]});
        norm += x * x;
      }
    }
    return std::sqrt(difference / norm);
  }
};

// Rows of integers that INT8 holds exactly where rows `distance` apart share a scale: each pair has a 127 and cancels,
// so that the mean over its 64 is 0.
void fill_integers(Tensor& t, int64_t distance, std::mt19937& random) {
  std::uniform_int_distribution<int> integer(-127, 127);
  for (int64_t i = 0; i < kTokens; ++i) {
    if (i / distance % 2 == 1) continue;
    for (int64_t d = 0; d < kSize; ++d) {
      t(i, d) = static_cast<float>(d == 0 ? 127 : integer(random));
      t(i + distance, d) = -t(i, d);
    }
  }
}

// The term of the mean makes smoothed queries the same function: with queries and keys that INT8 holds exactly, but for
// a mean that it cannot, only rounding in float32 is left.
TEST(SageAttnCpu, SmoothedQueriesAreTheSameFunction) {
  Problem p;
  std::mt19937 random(2);
  fill_integers(p.q, 8, random);
  fill_integers(p.k, 1, random);
  p.site.scale = 1.0 / (64 * 64 * 4);  // scores of one or two units
  for (int64_t i = 0; i < kTokens; ++i)
    for (int64_t d = 0; d < kSize; ++d) p.q(i, d) += static_cast<float>(i / 64 * 10 + d % 4 * 30);
  for (const char* granularity : {"thread", "block"}) {
    const TestOptions smooth{.pv = "bf16", .granularity = granularity, .smooth_q = true};
    EXPECT_LT(p.error(p.run(smooth)), 2e-6) << granularity;
    const TestOptions plain{.pv = "bf16", .granularity = granularity};
    EXPECT_GT(p.error(p.run(plain)), 1e-3) << granularity << ": the mean was too easy";
  }
}

TEST(SageAttnCpu, SmoothedKeysHoldAnOffset) {
  Problem p;
  for (int64_t j = 0; j < kTokens; ++j)
    for (int64_t d = 0; d < kSize; ++d) p.k(j, d) += static_cast<float>(50 * (d % 3));
  const double smooth = p.error(p.run({.pv = "bf16"})), plain = p.error(p.run({.pv = "bf16", .smooth_k = false}));
  EXPECT_LT(smooth, 0.02);
  EXPECT_GT(plain, 10 * smooth);
}

// Nothing that depends on a NaN or an infinity is a finite number, and nothing else suffers: the queries that share a
// scale, all queries for a key, one channel for a value.
TEST(SageAttnCpu, PassesOnWhatIsNotFinite) {
  constexpr int64_t kToken = 70, kChannel = 3;
  const auto depends = [](Tensor Problem::*on, const TestOptions& options, int64_t i, int64_t d) {
    if (on == &Problem::k) return true;
    if (on == &Problem::v) return d == kChannel;
    const bool block = std::string(options.granularity) == "block" || options.smooth_q;  // the mean of 64 queries
    return block ? i / 64 == kToken / 64 : i / 16 == kToken / 16 && i % 8 == kToken % 8;
  };
  for (Tensor Problem::*which : {&Problem::q, &Problem::k, &Problem::v})
    for (const float bad : {NAN, INFINITY, -INFINITY})
      for (const TestOptions& options :
           {TestOptions{}, TestOptions{.pv = "bf16"}, TestOptions{.smooth_k = false}, TestOptions{.smooth_q = true},
            TestOptions{.granularity = "block"}, TestOptions{.pv = "bf16", .smooth_k = false}}) {
        Problem p;
        (p.*which)(kToken, kChannel) = bad;
        const std::vector<float> out = p.run(options);
        for (int64_t i = 0; i < kTokens; ++i)
          for (int64_t d = 0; d < kSize; ++d)
            ASSERT_EQ(std::isfinite(out[i * kSize + d]), !depends(which, options, i, d))
                << bad << " in "
                << (which == &Problem::q   ? "q"
                    : which == &Problem::k ? "k"
                                           : "v")
                << ", pv " << options.pv << ", row " << i << ", channel " << d;
      }
}

TEST(SageAttnCpu, TakesZerosAndTheSmallestNumbers) {
  for (const float x : {0.0F, 1e-45F, 1e-38F}) {
    Problem p;
    std::fill(p.q.data().begin(), p.q.data().end(), x);
    std::fill(p.k.data().begin(), p.k.data().end(), x);
    EXPECT_LT(p.error(p.run({.pv = "bf16"})), 1e-6) << x;  // all weights are equal
    std::fill(p.v.data().begin(), p.v.data().end(), x);
    for (const float y : p.run({})) EXPECT_NEAR(y, x, 2e-38F);
  }
}

TEST(SageAttnCpu, WithoutKeysTheOutputIsZero) {
  Problem p;
  fv_tensor none = *p.k.get();
  int64_t shape[4] = {1, 0, 1, kSize};
  none.shape = shape;
  fv_attention_args args = p.args();
  args.k = args.v = &none;
  for (const char* layers : {"", "0-29"}) {
    const auto entries = TestOptions{.layers = layers}.entries();
    AttentionLibrary library(SAGE_ATTN_CPU_LIBRARY, entries);
    ASSERT_EQ(library.run(p.site, args), FV_OK) << library.message();
    for (const float x : p.out.data()) ASSERT_EQ(x, 0);
  }
}

TEST(SageAttnCpu, DependsOnWhatItsOptionsName) {
  Problem p;
  const auto depends = [&](const TestOptions& options) {
    const auto entries = options.entries();
    AttentionLibrary library(SAGE_ATTN_CPU_LIBRARY, entries);
    return library.plan(p.site).info().depends;
  };
  EXPECT_EQ(depends({}), 0U);
  EXPECT_EQ(depends({.layers = "0"}), FV_DEPENDS_LAYER);
  EXPECT_EQ(depends({.steps = "0"}), FV_DEPENDS_STEP);
  EXPECT_EQ(depends({.layers = "3", .steps = "0"}), FV_DEPENDS_LAYER | FV_DEPENDS_STEP);
}

TEST(SageAttnCpu, RefusesWithTheReason) {
  const auto refusal = [](const TestOptions& options, auto change) {
    const auto entries = options.entries();
    AttentionLibrary library(SAGE_ATTN_CPU_LIBRARY, entries);
    fv_attention_site site = test_site(FV_DEVICE_CPU, kFloat32, 64, 2, 16);
    change(site);
    return library.supports(site) ? std::string("taken") : library.message();
  };
  const auto as_it_is = [](fv_attention_site&) {};
  EXPECT_EQ(refusal({.layers = "0-1,29"}, as_it_is), "taken");
  EXPECT_EQ(refusal({.layers = "30"}, as_it_is),
            "full_precision_layers names layer 30, and the model has 30, the last one 29");
  EXPECT_EQ(refusal({}, [](auto& s) { s.role = FV_ROLE_DIT_JOINT; }), "taken");
  EXPECT_EQ(refusal({}, [](auto& s) { s.role = FV_ROLE_DIT_CROSS; }),
            "quantises attention among video tokens (dit.self, dit.joint), not dit.cross");
  EXPECT_EQ(refusal({}, [](auto& s) { s.masks = FV_MASK_KEY_LENGTHS; }),
            "full attention only: no masks and no key lengths");
  EXPECT_EQ(refusal({}, [](auto& s) { s.kv_heads = 3; }), "2 query heads cannot share 3 key heads of size 16");
  EXPECT_EQ(refusal({}, [](auto& s) { s.scale = 0; }), "the scale of the scores must be positive");
  EXPECT_EQ(refusal({}, [](auto& s) { s.dtype = kFloat64; }), "float32, bfloat16 and float16, not float64");
  EXPECT_EQ(refusal({}, [](auto& s) { s.device.type = FV_DEVICE_CUDA; }), "runs on the CPU");
  EXPECT_NE(refusal({}, [](auto& s) { s.require = FV_REQUIRE_CAPTURE; }), "taken");
  EXPECT_EQ(refusal({}, [](auto& s) { s.require = FV_REQUIRE_LOG_SUM_EXP; }), "taken");
  for (const TestOptions& wrong :
       {TestOptions{.qk = "int4"}, TestOptions{.pv = "int8"}, TestOptions{.granularity = "warp"},
        TestOptions{.layers = "2-1"}, TestOptions{.steps = "a"}})
    EXPECT_THROW(refusal(wrong, as_it_is), Refused);

  Problem p;
  const auto entries = TestOptions{.steps = "0-3,29"}.entries();
  AttentionLibrary library(SAGE_ATTN_CPU_LIBRARY, entries);
  fv_attention_args args = p.args();
  args.step = 0;
  args.steps = 20;
  EXPECT_EQ(library.run(p.site, args), FV_REFUSED);
  EXPECT_EQ(library.message(), "full_precision_steps names step 29, and this run has 20, the last one 19");
  EXPECT_TRUE(std::isnan(p.out(0, 0))) << "the output was touched";
  args.key_lengths = p.q.get();
  EXPECT_EQ(library.run(p.site, args), FV_FAILED);
}

}  // namespace
}  // namespace fastvideo::sage
