// SPARSE_ATTN/cpu against its definition in float64, over sequences with and without text, key lengths, shared heads
// and blocks of several sizes.
#include <gtest/gtest.h>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/sparse_attn/tests/definition.hpp"
#include "plugins/attention/sparse_attn/tests/options.hpp"

namespace fastvideo::sparse {
namespace {

// A contiguous tensor over memory of a test.
class View {
 public:
  View(void* data, fv_dtype dtype, std::vector<int64_t> shape) : shape_(std::move(shape)), strides_(shape_) {
    int64_t count = 1;
    for (size_t i = shape_.size(); i-- > 0; count *= shape_[i]) strides_[i] = count;
    view_ = {data, {FV_DEVICE_CPU, 0}, static_cast<int32_t>(shape_.size()), dtype, shape_.data(), strides_.data(), 0};
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  const fv_tensor* get() const { return &view_; }

 private:
  std::vector<int64_t> shape_, strides_;
  fv_tensor view_{};
};

void give(const Problem& p, GivenOptions& options) {
  options.integer("block", p.rows).integer("sink_tokens", p.sinks);
  if (p.mass > 0) options.number("mass", p.mass);
  if (p.share > 0) options.number("share", p.share);
}

// Inputs of a problem, and the output of a call with them.
template <class T>
struct Case {
  Problem p;
  fv_dtype dtype;
  Elements<T> q, k, v, out;
  std::vector<float> lse;

  Case(const Problem& problem, fv_dtype type, unsigned seed)
      : p(problem),
        dtype(type),
        q(p.batch, p.tokens(), p.heads, p.size),
        k(p.batch, p.tokens(), p.kv_heads, p.size),
        v(k),
        out(q),
        lse(static_cast<size_t>(p.batch * p.heads * p.tokens()), std::numeric_limits<float>::quiet_NaN()) {
    std::mt19937 random(seed);
    q.fill_walk(random, p.deviation);
    k.fill_walk(random, p.deviation);
    v.fill_normal(random);
    fill_missing_keys(p, k, v);
  }

  fv_status run(AttentionLibrary& library, int32_t step = 0, int32_t steps = 1, int32_t layer = 0) {
    const View vq(q.data.data(), dtype, {p.batch, p.tokens(), p.heads, p.size});
    const View vk(k.data.data(), dtype, {p.batch, p.tokens(), p.kv_heads, p.size});
    const View vv(v.data.data(), dtype, {p.batch, p.tokens(), p.kv_heads, p.size});
    const View vout(out.data.data(), dtype, {p.batch, p.tokens(), p.heads, p.size});
    const View vlse(lse.data(), kFloat32, {p.batch, p.heads, p.tokens()});
    const View lengths(p.key_lengths.data(), kInt32, {p.batch});
    fv_attention_args args{};
    args.q = vq.get();
    args.k = vk.get();
    args.v = vv.get();
    args.out = vout.get();
    args.log_sum_exp = vlse.get();
    args.key_lengths = p.key_lengths.empty() ? nullptr : lengths.get();
    args.step = step;
    args.steps = steps;
    args.layer = layer;
    return library.run(p.site(FV_DEVICE_CPU, dtype), args);
  }

  // Compares with attention to the blocks of the definition, or to all blocks.
  Difference difference(bool dense = false) {
    Difference found;
    for (int64_t b = 0; b < p.batch; ++b)
      for (int64_t h = 0; h < p.heads; ++h)
        for (int64_t i = 0; i * p.rows < p.tokens(); ++i) {
          std::set<int64_t> chosen;
          if (dense)
            for (int64_t j = 0; j * p.width < p.keys_of(b); ++j) chosen.insert(j);
          else
            chosen = visited(p, q, k, b, h, i);
          compare(p, q, k, v, out, lse, b, h, i, chosen, found);
        }
    return found;
  }
};

std::vector<Problem> problems() {
  std::vector<Problem> made;
  const auto add = [&](std::initializer_list<int64_t> grid, int64_t block, double share, double mass) -> Problem& {
    Problem& p = made.emplace_back();
    std::copy(grid.begin(), grid.end(), p.grid);
    p.rows = p.width = block;
    p.share = share;
    p.mass = mass;
    return p;
  };
  add({5, 6, 10}, 16, 0.2, 0);
  add({5, 6, 10}, 16, 0, 0.7);
  add({1, 1, 1}, 16, 0.2, 0);
  add({3, 7, 11}, 32, 0.01, 0);  // one block, its own
  Problem& ragged = add({4, 7, 9}, 12, 0.3, 0);
  ragged.batch = 2;
  ragged.heads = 4;
  ragged.kv_heads = 2;
  ragged.size = 20;
  Problem& text = add({4, 6, 8}, 16, 0.25, 0);
  text.before = 5;
  text.after = 21;
  text.heads = 2;
  Problem& sinks = add({6, 6, 8}, 16, 0, 0.5);
  sinks.sinks = 40;
  sinks.before = 3;
  Problem& lengths = add({4, 6, 8}, 16, 0.3, 0);
  lengths.after = 30;
  lengths.batch = 5;
  lengths.key_lengths = {222, 192, 100, 7, 0};
  Problem& by_mass = lengths.key_lengths.empty() ? lengths : made.emplace_back(lengths);
  by_mass.share = 0;
  by_mass.mass = 0.6;
  Problem& large = add({4, 12, 20}, 128, 0.4, 0);
  large.size = 64;
  add({4, 12, 20}, 200, 0, 0.8).deviation = 2;
  return made;
}

template <class T>
void check_all(fv_dtype dtype, double bound) {
  unsigned seed = 1;
  for (const Problem& p : problems()) {
    GivenOptions options;
    give(p, options);
    AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, options.get());
    Case<T> one(p, dtype, seed++);
    ASSERT_EQ(one.run(library), FV_OK) << p.text() << ": " << library.message();
    const Difference found = one.difference();
    EXPECT_LE(found.relative(), bound) << p.text();
    EXPECT_LE(found.log_sum_exp, 2e-5) << p.text();
  }
}

// Float32 rounds scores and sums; 16 bits round the output by half a unit in the last place.
TEST(SparseCpu, IsTheDefinitionInFloat32) { check_all<float>(kFloat32, 3e-6); }
TEST(SparseCpu, IsTheDefinitionInBFloat16) { check_all<cpu::BFloat16>(kBFloat16, 4e-3); }
TEST(SparseCpu, IsTheDefinitionInFloat16) { check_all<cpu::Float16>(kFloat16, 5e-4); }

Problem plain() {
  Problem p;
  p.grid[0] = 4;
  p.grid[1] = 8;
  p.grid[2] = 16;
  p.heads = p.kv_heads = 2;
  p.share = 0.2;
  return p;
}

// Otherwise nothing here could fail for want of a difference.
TEST(SparseCpu, LeavesMuchOut) {
  const Problem p = plain();
  GivenOptions options;
  give(p, options);
  AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, options.get());
  Case<float> one(p, kFloat32, 3);
  ASSERT_EQ(one.run(library), FV_OK) << library.message();
  EXPECT_LE(one.difference().relative(), 3e-6);
  EXPECT_GE(one.difference(true).relative(), 0.05);
  for (int64_t h = 0; h < p.heads; ++h) EXPECT_EQ(visited(p, one.q, one.k, 0, h, 3).size(), 6U);  // of 32 blocks
}

TEST(SparseCpu, DenseStepsAndLayersSeeEverything) {
  const Problem p = plain();
  GivenOptions options;
  give(p, options);
  options.integer("dense_steps", 2).string("dense_layers", "1,3");
  AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, options.get());
  for (const int32_t step : {0, 1, 2})
    for (const int32_t layer : {0, 1, 2, 3}) {
      Case<float> one(p, kFloat32, 4);
      ASSERT_EQ(one.run(library, step, 5, layer), FV_OK) << library.message();
      EXPECT_LE(one.difference(step < 2 || layer == 1 || layer == 3).relative(), 3e-6) << step << " " << layer;
    }
  Case<float> few(p, kFloat32, 4);
  EXPECT_EQ(few.run(library, 0, 1, 0), FV_REFUSED);
  EXPECT_NE(library.message().find("dense_steps = 2, and this run has 1"), std::string::npos) << library.message();
}

TEST(SparseCpu, ShareOfOneIsDense) {
  Problem p = plain();
  p.share = 1;
  GivenOptions options;
  give(p, options);
  AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, options.get());
  Case<float> one(p, kFloat32, 5);
  ASSERT_EQ(one.run(library), FV_OK) << library.message();
  EXPECT_LE(one.difference(true).relative(), 3e-6);
}

// Against the blocks that the definition does not leave out; how many it does leave out, of all, comes back for the
// problem with the most.
template <class T>
void check_threshold(fv_dtype dtype, double threshold, double bound, double* left_out = nullptr) {
  unsigned seed = 1;
  for (Problem p : problems()) {
    p.sinks = 0;
    p.deviation = 3;
    GivenOptions options;
    options.integer("block", p.rows).string("select", "threshold").number("threshold", threshold);
    AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, options.get());
    Case<T> one(p, dtype, seed++);
    ASSERT_EQ(one.run(library), FV_OK) << p.text() << ": " << library.message();
    Difference found;
    bool close = false;
    int64_t kept = 0, all = 0;
    for (int64_t b = 0; b < p.batch; ++b)
      for (int64_t h = 0; h < p.heads; ++h)
        for (int64_t first = 0; first < p.tokens(); first += p.rows) {
          const int64_t end = std::min(first + p.rows, p.tokens());
          const std::set<int64_t> chosen = above(p, threshold, one.q, one.k, b, h, first, end, p.rows, close);
          compare_rows(p, one.q, one.k, one.v, one.out, one.lse, b, h, first, end, chosen, found);
          kept += static_cast<int64_t>(chosen.size());
          all += (p.keys_of(b) + p.width - 1) / p.width;
        }
    if (left_out != nullptr) *left_out = std::max(*left_out, 1 - static_cast<double>(kept) / static_cast<double>(all));
    if (close) continue;  // the inputs are the same in every run: few are
    EXPECT_LE(found.relative(), bound) << p.text();
    EXPECT_LE(found.log_sum_exp, 5e-5) << p.text();
  }
}

TEST(SparseCpu, LeavesOutWhatLiesBelowTheThreshold) {
  double left_out = 0;
  check_threshold<float>(kFloat32, 0.01, 5e-6, &left_out);
  EXPECT_GE(left_out, 0.05);  // otherwise the test would prove nothing
  check_threshold<cpu::BFloat16>(kBFloat16, 0.05, 4e-3);
}

TEST(SparseCpu, AThresholdThatNothingLiesBelowIsDense) {
  Problem p = plain();
  GivenOptions options;
  options.integer("block", p.rows).string("select", "threshold").number("threshold", 1e-9);
  AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, options.get());
  Case<float> one(p, kFloat32, 5);
  ASSERT_EQ(one.run(library), FV_OK) << library.message();
  EXPECT_LE(one.difference(true).relative(), 3e-6);
}

// NaN and infinity stay in their rows, and crash nothing.
TEST(SparseCpu, TakesInputsThatAreNoNumbers) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 3e38F}) {
    Problem p = plain();
    for (const bool by_mass : {false, true}) {
      p.share = by_mass ? 0 : 0.2;
      p.mass = by_mass ? 0.5 : 0;
      GivenOptions options;
      give(p, options);
      AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, options.get());
      Case<float> one(p, kFloat32, 6);
      one.q.row(0, 100, 0)[3] = bad;
      one.k.row(0, 300, 1)[5] = bad;
      ASSERT_EQ(one.run(library), FV_OK) << library.message();
      // Head 0 has good keys: only the block of the bad query may differ.
      Difference found;
      for (int64_t i = 0; i < 32; ++i)
        if (i != 100 / 16)
          compare(p, one.q, one.k, one.v, one.out, one.lse, 0, 0, i, visited(p, one.q, one.k, 0, 0, i), found);
      EXPECT_LE(found.relative(), 3e-6);
    }
  }
}

TEST(SparseCpu, WantsBoxesOfTheVideoTogether) {
  GivenOptions boxes, raster;
  Problem p = plain();
  AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, boxes.string("tile", "2x4x4").get());
  const auto plan = library.plan(p.site(FV_DEVICE_CPU, kFloat32));
  ASSERT_EQ(plan.status(), FV_OK) << library.message();
  ASSERT_EQ(plan.info().token_count, p.video());
  // The first box: two frames, four rows, four columns.
  for (int64_t i = 0; i < 32; ++i) EXPECT_EQ(plan.info().token_order[i], i / 16 * 128 + i / 4 % 4 * 16 + i % 4) << i;
  AttentionLibrary as_is(SPARSE_ATTN_CPU_LIBRARY, raster.string("tile", "raster").get());
  const auto other = as_is.plan(p.site(FV_DEVICE_CPU, kFloat32));
  ASSERT_EQ(other.status(), FV_OK) << as_is.message();
  EXPECT_EQ(other.info().token_order, nullptr);
}

TEST(SparseCpu, RefusesABlockThatHasNoQuarters) {
  GivenOptions options;
  options.integer("block", 18);
  try {
    AttentionLibrary library(SPARSE_ATTN_CPU_LIBRARY, options.get());
    FAIL() << "taken";
  } catch (const std::runtime_error& refused) {
    EXPECT_NE(std::string(refused.what()).find("block = 18"), std::string::npos) << refused.what();
  }
}

}  // namespace
}  // namespace fastvideo::sparse
