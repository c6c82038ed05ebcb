// The self-test passes what computes attention and finds what does not.
#include "host/selection/selftest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fastvideo/plugin.hpp>
#include <functional>
#include <limits>

#include "host/config/test_files.hpp"
#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using Outcome = SelfTest::Outcome;
using test::contains;

// What a backend of these tests does; the formula where nothing else is said.
struct Behaviour {
  uint32_t numerics = FV_NUMERICS_EXACT;
  double scale = 1;  // factor of the site's
  std::function<bool(int64_t query, int64_t key)> sees = [](int64_t, int64_t) { return true; };
  std::function<float(float)> change = [](float x) { return x; };  // of values
  std::function<void(const fv_attention_args&)> after = [](const fv_attention_args&) {};
  std::function<std::string(const fv_attention_site&)> refuses = [](const fv_attention_site&) { return ""; };
  int runs = 0;
  fv_attention_site last{};  // the last site that was run
  std::string last_role;
} behaviour;

double masked(const fv_attention_site& site, const fv_attention_args& args, double score, int64_t b, int64_t h,
              int64_t i, int64_t j) {
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  if ((site.masks & FV_MASK_CAUSAL) != 0 && j > i) return kNever;
  if (args.key_lengths != nullptr && j >= TensorView<const int32_t, 1>(*args.key_lengths)(b)) return kNever;
  if (args.mask == nullptr) return score;
  if (args.mask->dtype.code == FV_BOOL)
    return TensorView<const bool, 4>(*args.mask).broadcast(b, h, i, j) ? score : kNever;
  return score + TensorView<const float, 4>(*args.mask).broadcast(b, h, i, j);
}

class Scripted : public AttentionBackend {
 public:
  explicit Scripted(const Options&) {}
  Support supports(const fv_attention_site& site) const override {
    const std::string why_not = behaviour.refuses(site);
    return why_not.empty() ? Support::yes(behaviour.numerics) : Support::no(why_not);
  }
  void run(const fv_attention_site& site, const fv_attention_args& args) override {
    ++behaviour.runs;
    behaviour.last = site;
    behaviour.last_role = site.role;
    const TensorView<const float, 4> q(*args.q), k(*args.k), v(*args.v);
    const TensorView<float, 4> out(*args.out);
    const int64_t size = q.size(3), group = q.size(2) / k.size(2);
    for (int64_t b = 0; b < q.size(0); ++b)
      for (int64_t h = 0; h < q.size(2); ++h)
        for (int64_t i = 0; i < q.size(1); ++i) {
          std::vector<double> weight(static_cast<size_t>(k.size(1))), sum(static_cast<size_t>(size));
          const float* query = &q(b, i, h, 0);
          for (int64_t j = 0; j < k.size(1); ++j) {
            double score = behaviour.sees(i, j) ? 0 : -std::numeric_limits<double>::infinity();
            const float* key = &k(b, j, h / group, 0);
            for (int64_t d = 0; d < size; ++d) score += double{query[d]} * key[d];
            weight[static_cast<size_t>(j)] = masked(site, args, behaviour.scale * site.scale * score, b, h, i, j);
          }
          const double top = *std::max_element(weight.begin(), weight.end());
          double total = 0;
          for (int64_t j = 0; j < k.size(1); ++j) {
            const double w = std::exp(weight[static_cast<size_t>(j)] - top);
            total += w;
            const float* value = &v(b, j, h / group, 0);
            for (int64_t d = 0; d < size; ++d) sum[static_cast<size_t>(d)] += w * double{behaviour.change(value[d])};
          }
          for (int64_t d = 0; d < size; ++d) out(b, i, h, d) = static_cast<float>(sum[static_cast<size_t>(d)] / total);
        }
    behaviour.after(args);
  }
};

fv_attention_site video_site() {
  fv_attention_site site = test::site(FV_ROLE_DIT_SELF, 5 * 9 * 10);
  site.grid[0] = 5;
  site.grid[1] = 9;
  site.grid[2] = 10;
  site.head_size = 64;
  site.query_heads = site.kv_heads = site.total_heads = 6;
  site.scale = 0.125;
  return site;
}

struct SelfTestOf : public ::testing::Test {
  SelfTestOf() {
    behaviour = Behaviour{};
    backend.name = "SCRIPTED/cpu";
    backend.table = static_cast<const fv_attention_interface*>(
        detail::AttentionTable<Scripted>::get_interface(FV_ATTENTION_INTERFACE));
    EXPECT_EQ(backend.table->create(test::no_services(), nullptr, 0, &backend.backend, nullptr), FV_OK);
  }
  ~SelfTestOf() override { backend.table->destroy(backend.backend); }

  SelfTest result(const fv_attention_site& site = video_site()) {
    return SelfTests(DeviceFacts{}).of(item, backend, site);
  }
  void expect_failure(const std::string& text) {
    const SelfTest found = result();
    EXPECT_EQ(found.outcome, Outcome::failed) << found.text;
    EXPECT_TRUE(contains(found.text, text));
  }

  Item item;
  OpenBackend backend;
};

TEST_F(SelfTestOf, TheFormulaPasses) {
  const SelfTest found = result();
  EXPECT_EQ(found.outcome, Outcome::passed) << found.text;
  EXPECT_TRUE(contains(found.text, "relative error "));
  EXPECT_TRUE(contains(found.text, "against float64 (at most "));
  EXPECT_GT(found.error, 0);     // float32 rounds
  EXPECT_LT(found.error, 1e-6);  // and that is all
  EXPECT_LT(found.largest, 1e-4);
}

TEST_F(SelfTestOf, TheProblemIsLikeTheSite) {
  result();
  const fv_attention_site& tried = behaviour.last;
  EXPECT_EQ(behaviour.last_role, "dit.self");
  EXPECT_EQ(tried.head_size, 64);
  EXPECT_EQ(tried.query_heads, 2);
  EXPECT_EQ(tried.query_length, 3 * 8 * 8);
  EXPECT_EQ(tried.grid[0] * 100 + tried.grid[1] * 10 + tried.grid[2], 388);
  EXPECT_EQ(tried.layers, 2);
  EXPECT_DOUBLE_EQ(tried.scale, 0.125);
}

TEST_F(SelfTestOf, EverySiteOfAModelCanBeTried) {
  using List = std::initializer_list<uint32_t>;
  for (const uint32_t masks : List{0, FV_MASK_BIAS, FV_MASK_BOOLEAN, FV_MASK_CAUSAL, FV_MASK_KEY_LENGTHS | FV_MASK_BIAS,
                                   FV_MASK_CAUSAL | FV_MASK_BOOLEAN}) {
    for (const uint32_t numerics : List{FV_NUMERICS_REORDERED, FV_NUMERICS_APPROXIMATE}) {
      behaviour.numerics = numerics;
      fv_attention_site text = test::site(FV_ROLE_TEXT_SELF, 512);
      text.masks = masks;
      text.head_size = 32;
      text.query_heads = text.total_heads = 8;
      text.kv_heads = 2;
      text.scale = 1;
      const SelfTest found = result(text);
      EXPECT_EQ(found.outcome, Outcome::passed) << masks << ": " << found.text;
    }
  }
  fv_attention_site cross = video_site();
  cross.role = FV_ROLE_DIT_CROSS;
  cross.key_length = 7;
  EXPECT_EQ(result(cross).outcome, Outcome::passed);
  EXPECT_EQ(behaviour.last.key_length, 7);
  EXPECT_EQ(result(test::site(FV_ROLE_VAE_MID, 1)).outcome, Outcome::passed);
}

TEST_F(SelfTestOf, WrongNumbersFailWithTheNumber) {
  behaviour.scale = 1.01;
  expect_failure("relative error 0.012 against float64 (at most ");
  behaviour.scale = 1;
  behaviour.sees = [](int64_t, int64_t key) { return key != 191; };  // the last key
  expect_failure("against float64 (at most ");
  behaviour.sees = [](int64_t, int64_t) { return true; };
  behaviour.after = [](const fv_attention_args& args) { TensorView<float, 4> (*args.out)(0, 191, 1, 63) = 1; };
  expect_failure("relative error ");
}

TEST_F(SelfTestOf, WhatIsNotWrittenOrWrittenElsewhereFails) {
  behaviour.after = [](const fv_attention_args& args) {
    TensorView<float, 4> (*args.out)(0, 5, 0, 7) = std::numeric_limits<float>::quiet_NaN();
  };
  expect_failure("1 elements of out are not written, or not finite");
  behaviour.numerics = FV_NUMERICS_APPROXIMATE;
  expect_failure("1 elements of out are not written, or not finite");
  behaviour.after = [](const fv_attention_args& args) { *(&TensorView<float, 4>(*args.out)(0, 191, 1, 63) + 1) = 0; };
  expect_failure("run wrote outside of out");
  behaviour.after = [](const fv_attention_args& args) { TensorView<float, 4> (*args.q)(0, 0, 0, 0) = 0; };
  expect_failure("run changed its inputs");
  behaviour.after = [](const fv_attention_args&) { throw std::runtime_error("no such kernel"); };
  expect_failure("run failed: no such kernel");
}

TEST_F(SelfTestOf, ApproximationsPassIfTheyFindTheKeyThatCounts) {
  behaviour.numerics = FV_NUMERICS_APPROXIMATE;
  behaviour.sees = [](int64_t query, int64_t key) { return std::abs(query - key) < 20; };
  SelfTest found = result();
  EXPECT_EQ(found.outcome, Outcome::passed) << found.text;
  EXPECT_TRUE(contains(found.text, "(at most 0.15 where one key has all the weight; "));
  EXPECT_TRUE(contains(found.text, " on random inputs)"));
  // e4m3's three bits behind the point.
  behaviour.change = [](float x) {
    const float step = std::ldexp(1.F, std::ilogb(x) - 3);
    return std::nearbyint(x / step) * step;
  };
  found = result();
  EXPECT_EQ(found.outcome, Outcome::passed) << found.text;
  EXPECT_GT(found.error, 0.01);
}

TEST_F(SelfTestOf, ApproximationsThatMissItFail) {
  behaviour.numerics = FV_NUMERICS_APPROXIMATE;
  behaviour.sees = [](int64_t query, int64_t key) { return query != key; };
  expect_failure("(at most 0.15 where one key has all the weight");
  behaviour.sees = [](int64_t, int64_t) { return true; };
  behaviour.change = [](float) { return 0.F; };  // a black picture
  expect_failure("relative error 1 against float64");
  behaviour.change = [](float x) { return std::round(x); };  // too few bits
  expect_failure("(at most 0.15 where one key has all the weight");
}

TEST_F(SelfTestOf, ABackendThatTakesFewSitesIsTriedOnOneThatItTakes) {
  behaviour.refuses = [](const fv_attention_site& site) { return site.query_heads == 6 ? "" : "six heads only"; };
  EXPECT_EQ(result().outcome, Outcome::passed);
  EXPECT_EQ(behaviour.last.query_length, 192);
  behaviour.refuses = [](const fv_attention_site& site) { return site.grid[2] == 10 ? "" : "a grid of 5x9x10 only"; };
  EXPECT_EQ(result().outcome, Outcome::passed);
  EXPECT_EQ(behaviour.last.query_length, 450);
  behaviour.refuses = [](const fv_attention_site&) { return "not today"; };
  const SelfTest found = result();
  EXPECT_EQ(found.outcome, Outcome::not_run);
  EXPECT_EQ(found.text, "no small problem fits: not today");
}

TEST_F(SelfTestOf, IsDoneOnceForSitesOfOneKind) {
  SelfTests tests(DeviceFacts{});
  const SelfTest& first = tests.of(item, backend, video_site());
  const int runs = behaviour.runs;
  EXPECT_EQ(&tests.of(item, backend, video_site()), &first);
  EXPECT_EQ(behaviour.runs, runs);
  fv_attention_site other = video_site();
  other.head_size = 32;
  EXPECT_NE(&tests.of(item, backend, other), &first);
  EXPECT_GT(behaviour.runs, runs);
}

}  // namespace
}  // namespace fastvideo::host
