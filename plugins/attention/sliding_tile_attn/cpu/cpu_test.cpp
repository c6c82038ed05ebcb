// SLIDING_TILE_ATTN/cpu through the ABI of the built library, against the definition in float64.
#include <gtest/gtest.h>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/sliding_tile_attn/tests/options.hpp"
#include "plugins/attention/sliding_tile_attn/tests/problem.hpp"

namespace fastvideo::sliding_tile {
namespace {

fv_attention_site site_of(const ProblemSize& p, fv_dtype dtype, int32_t layers = 1) {
  return p.site(FV_DEVICE_CPU, dtype, layers);
}

// Contiguous elements as a tensor of the ABI.
class View {
 public:
  View(void* data, fv_dtype dtype, std::vector<int64_t> shape) : shape_(std::move(shape)), strides_(shape_) {
    int64_t stride = 1;
    for (size_t i = shape_.size(); i-- > 0; stride *= shape_[i]) strides_[i] = stride;
    view_ = {data, {FV_DEVICE_CPU, 0}, static_cast<int32_t>(shape_.size()), dtype, shape_.data(), strides_.data(), 0};
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  const fv_tensor* get() const { return &view_; }

 private:
  std::vector<int64_t> shape_, strides_;
  fv_tensor view_{};
};

struct Point {
  int32_t step = -1, steps = 0, layer = 0;
};

// Random tensors of one problem.
template <class T>
struct Problem {
  ProblemSize p;
  fv_dtype dtype;
  Elements<T> q, k, v, out;
  std::vector<float> log_sum_exp;

  Problem(const ProblemSize& size, fv_dtype type, unsigned seed)
      : p(size),
        dtype(type),
        q(p.batch, p.tokens(), p.heads, p.size),
        k(p.batch, p.tokens(), p.kv_heads, p.size),
        v(p.batch, p.tokens(), p.kv_heads, p.size),
        out(p.batch, p.tokens(), p.heads, p.size),
        log_sum_exp(static_cast<size_t>(p.batch * p.heads * p.tokens())) {
    std::mt19937 random(seed);
    for (Elements<T>* one : {&q, &k, &v}) one->fill_normal(random);
    fill_missing_keys(p, k, v);
  }

  // Runs and compares; the plan's token order goes to raster. windows: of each head.
  Error run(AttentionLibrary& library, const std::vector<Extent>& windows, Point point = {}, int32_t layers = 1) {
    const fv_attention_site site = site_of(p, dtype, layers);
    if (!library.supports(site)) throw std::runtime_error(library.message());
    AttentionLibrary::Plan plan = library.plan(site);
    if (plan.status() != FV_OK) throw std::runtime_error(library.message());
    std::vector<int64_t> raster;
    for (int64_t i = 0; i < p.video(); ++i)
      raster.push_back(plan.info().token_order == nullptr ? i : plan.info().token_order[i]);
    const View q_view(q.data.data(), dtype, {p.batch, p.tokens(), p.heads, p.size});
    const View k_view(k.data.data(), dtype, {p.batch, p.tokens(), p.kv_heads, p.size});
    const View v_view(v.data.data(), dtype, {p.batch, p.tokens(), p.kv_heads, p.size});
    const View out_view(out.data.data(), dtype, {p.batch, p.tokens(), p.heads, p.size});
    const View lse_view(log_sum_exp.data(), kFloat32, {p.batch, p.heads, p.tokens()});
    View lengths(p.key_lengths.data(), kInt32, {p.batch});
    fv_attention_args args{};
    args.q = q_view.get();
    args.k = k_view.get();
    args.v = v_view.get();
    args.out = out_view.get();
    args.log_sum_exp = lse_view.get();
    args.key_lengths = p.key_lengths.empty() ? nullptr : lengths.get();
    args.step = point.step;
    args.steps = point.steps;
    args.layer = point.layer;
    std::fill(log_sum_exp.begin(), log_sum_exp.end(), std::numeric_limits<float>::quiet_NaN());
    std::fill(out.data.begin(), out.data.end(), cpu::from_float<T>(std::numeric_limits<float>::quiet_NaN()));
    std::vector<char> room(plan.info().scratch_bytes + 256);
    void* start = room.data();
    size_t bytes = room.size();
    const fv_status status = plan.run(args, std::align(256, plan.info().scratch_bytes, start, bytes));
    if (status == FV_REFUSED) throw Refused(library.message());
    if (status != FV_OK) throw std::runtime_error(library.message());
    return compare(p, raster, windows, site.scale, q, k, v, out, log_sum_exp);
  }
};

AttentionLibrary open(const GivenOptions& options) {
  return AttentionLibrary(SLIDING_TILE_ATTN_CPU_LIBRARY, options.get());
}

// As for FLASH_ATTN/cpu, whose kernels these are: everything inside is float32; the types round the output once.
constexpr double kFloat32Bound = 1e-6, kBFloat16Bound = 0x1p-9, kFloat16Bound = 0x1p-12, kLogSumExpBound = 1e-5;

Extent drawn(std::mt19937& random, int64_t t, int64_t h, int64_t w) {
  const auto up_to = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(1, most)(random); };
  return {{up_to(t), up_to(h), up_to(w)}};
}

// Any grid (divisible or not, one frame, one tile), any window (even, odd, larger than the grid), text on both sides.
TEST(SlidingTileCpu, AgreesWithTheDefinition) {
  std::mt19937 random(1);
  const int64_t texts[] = {0, 0, 1, 77, 512};
  for (int i = 0; i < 40; ++i) {
    ProblemSize p{.grid = drawn(random, 5, 7, 8), .tile = drawn(random, 3, 4, 4)};
    if (i % 5 == 0) p.grid[0] = 1;
    if (i % 7 == 0) p.tile = p.grid;
    if (i % 6 == 0) p.grid = {{2 * p.tile[0], 2 * p.tile[1], 3 * p.tile[2]}};  // divisible
    p.after = texts[i % 5];
    p.before = texts[i / 5 % 5] == 512 ? 3 : texts[i / 5 % 5];
    p.batch = 1 + i % 2;
    p.heads = 2;
    p.kv_heads = 1 + i / 2 % 2;
    const Extent window = drawn(random, 6, 6, 6);
    AttentionLibrary library = open(GivenOptions().string("tile", to_text(p.tile)).string("window", to_text(window)));
    const Error error = Problem<float>(p, kFloat32, 100 + i).run(library, {window, window});
    EXPECT_LE(error.relative, kFloat32Bound) << p.text() << ", window " << to_text(window);
    EXPECT_LE(error.log_sum_exp, kLogSumExpBound) << p.text() << ", window " << to_text(window);
  }
}

TEST(SlidingTileCpu, TakesTheDefaultTileAndItsRaggedEdges) {
  const ProblemSize p{.grid = {{8, 18, 20}}, .tile = {{6, 8, 8}}, .heads = 1, .size = 8};
  AttentionLibrary library = open(GivenOptions().string("tile", "6x8x8").string("window", "1x1x2"));
  EXPECT_LE(Problem<float>(p, kFloat32, 3).run(library, {{{1, 1, 2}}}).relative, kFloat32Bound);
}

TEST(SlidingTileCpu, HalfPrecisionRoundsOnlyTheOutput) {
  const ProblemSize p{.grid = {{5, 7, 9}}, .tile = {{2, 3, 4}}, .after = 20, .heads = 2, .size = 64};
  AttentionLibrary library = open(GivenOptions().string("tile", "2x3x4").string("window", "3x1x1"));
  const std::vector<Extent> windows(2, {{3, 1, 1}});
  EXPECT_LE(Problem<cpu::BFloat16>(p, kBFloat16, 4).run(library, windows).relative, kBFloat16Bound);
  EXPECT_LE(Problem<cpu::Float16>(p, kFloat16, 5).run(library, windows).relative, kFloat16Bound);
}

TEST(SlidingTileCpu, PaddedTextIsSeenByNobody) {
  ProblemSize p{.grid = {{3, 4, 5}}, .tile = {{1, 2, 2}}, .after = 140, .batch = 3, .heads = 2};
  p.key_lengths = {200, 60, 131};  // of 200: all text, none, some
  AttentionLibrary library = open(GivenOptions().string("tile", "1x2x2").string("window", "1x1x3"));
  const Error error = Problem<float>(p, kFloat32, 6).run(library, std::vector<Extent>(2, {{1, 1, 3}}));
  EXPECT_LE(error.relative, kFloat32Bound);
}

// Lengths count positions of the sequence, wherever they end: in the video in tile order, before it, or nowhere.
// Queries that see none of the keys there are give zeros.
TEST(SlidingTileCpu, KeyLengthsMayEndInTheVideo) {
  for (const char* window : {"1x1x3", "9x9x9"}) {
    ProblemSize p{.grid = {{3, 4, 5}}, .tile = {{1, 2, 2}}, .before = 3, .after = 20, .batch = 6, .heads = 2};
    p.key_lengths = {83, 62, 30, 2, 0, -7};  // of 83
    AttentionLibrary library = open(GivenOptions().string("tile", "1x2x2").string("window", window));
    const Extent extent = parse_extent("window", window);
    const Error error = Problem<float>(p, kFloat32, 6).run(library, {extent, extent});
    EXPECT_LE(error.relative, kFloat32Bound) << window;
    EXPECT_LE(error.log_sum_exp, kLogSumExpBound) << window;
  }
}

// Every combination of step, layer and head has the window that the file says, the first steps none.
TEST(SlidingTileCpu, FollowsAStrategyFile) {
  const ProblemSize p{.grid = {{4, 6, 7}}, .tile = {{1, 2, 3}}, .after = 9, .heads = 3};
  const Extent full{{4, 3, 3}}, kinds[] = {{{3, 1, 1}}, {{1, 3, 1}}, full, {{1, 1, 2}}, {{2, 1, 3}}};
  const auto window = [&](int64_t step, int64_t layer, int64_t head) {
    return kinds[(step + 2 * layer + 3 * head) % 5];
  };
  StrategyTable table;
  table.add("tile", {1, 2, 3});
  for (int64_t s = 0; s < 4; ++s)
    for (int64_t l = 0; l < 2; ++l)
      for (int64_t h = 0; h < 3; ++h) table.add(s, l, h, window(s, l, h));
  AttentionLibrary exact = open(GivenOptions().strategy(table).integer("dense_steps", 1));
  AttentionLibrary rescaled = open(GivenOptions().strategy(table).string("steps", "rescale"));
  Problem<float> problem(p, kFloat32, 7);
  for (int32_t s = 0; s < 4; ++s)
    for (int32_t l = 0; l < 2; ++l) {
      std::vector<Extent> windows;
      for (int64_t h = 0; h < 3; ++h) windows.push_back(s == 0 ? full : window(s, l, h));
      EXPECT_LE(problem.run(exact, windows, {s, 4, l}, 2).relative, kFloat32Bound) << s << " " << l;
    }
  EXPECT_THROW(problem.run(exact, {full, full, full}, {0, 5, 0}, 2), Refused);
  // Of ten steps the nearest in the file: 0 0 1 1 1 2 2 2 3 3.
  const int64_t nearest[] = {0, 0, 1, 1, 1, 2, 2, 2, 3, 3};
  for (int32_t s = 0; s < 10; ++s) {
    const std::vector<Extent> windows{window(nearest[s], 1, 0), window(nearest[s], 1, 1), window(nearest[s], 1, 2)};
    EXPECT_LE(problem.run(rescaled, windows, {s, 10, 1}, 2).relative, kFloat32Bound) << s;
  }
}

TEST(SlidingTileCpu, TheFirstStepsAreDenseIfAsked) {
  const ProblemSize p{.grid = {{4, 4, 4}}, .tile = {{1, 1, 1}}};
  AttentionLibrary library =
      open(GivenOptions().string("tile", "1x1x1").string("window", "1x3x1").integer("dense_steps", 2));
  Problem<float> problem(p, kFloat32, 8);
  EXPECT_LE(problem.run(library, {{{4, 4, 4}}}, {1, 3}).relative, kFloat32Bound);
  EXPECT_LE(problem.run(library, {{{1, 3, 1}}}, {2, 3}).relative, kFloat32Bound);
  EXPECT_LE(problem.run(library, {{{1, 3, 1}}}, {-1, 0}).relative, kFloat32Bound);  // outside of the loop
  EXPECT_THROW(problem.run(library, {{{1, 3, 1}}}, {0, 1}), Refused);               // two of one step
}

// A window that covers everything is dense attention: its error is at most 1.2 times that of FLASH_ATTN.
TEST(SlidingTileCpu, AFullWindowIsDenseAttention) {
  AttentionLibrary dense(FLASH_ATTN_CPU_LIBRARY);
  for (const Extent& grid : {Extent{{5, 7, 9}}, Extent{{4, 6, 8}}, Extent{{1, 9, 13}}}) {
    const ProblemSize p{.grid = grid, .tile = {{2, 3, 4}}, .after = 100, .heads = 2, .size = 64};
    AttentionLibrary library = open(GivenOptions().string("tile", "2x3x4").string("window", "9x9x9"));
    const std::vector<Extent> windows(2, {{9, 9, 9}});
    Problem<float> single(p, kFloat32, 9);
    EXPECT_LE(single.run(library, windows).relative, 1.2 * single.run(dense, windows).relative);
    Problem<cpu::BFloat16> half(p, kBFloat16, 10);
    EXPECT_LE(half.run(library, windows).relative, 1.2 * half.run(dense, windows).relative);
  }
}

std::string create_refusal(const GivenOptions& options) {
  try {
    open(options);
  } catch (const Refused& e) {
    return e.what();
  }
  return "taken";
}

TEST(SlidingTileCpu, RefusesOptionsThatMeanNothing) {
  for (const char* window : {"0x3x3", "3x-1x3", "3x3", "three"})
    EXPECT_NE(create_refusal(GivenOptions().string("window", window)).find(std::string("window = \"") + window),
              std::string::npos);
  EXPECT_NE(create_refusal(GivenOptions().string("tile", "6x0x8")).find("'0' is less than 1"), std::string::npos);
  EXPECT_NE(create_refusal(GivenOptions().string("steps", "rescale")).find("no effect"), std::string::npos);
  StrategyTable table;
  table.add(0, 0, 0, {{3, 3, 3}});
  EXPECT_EQ(create_refusal(GivenOptions().strategy(table)), "taken");
  EXPECT_NE(create_refusal(GivenOptions().strategy(table).string("window", "3x3x3")).find("both say the windows"),
            std::string::npos);
  EXPECT_NE(create_refusal(GivenOptions().strategy(table).string("tile", "4x8x8")).find("count tiles of 6x8x8"),
            std::string::npos);
}

TEST(SlidingTileCpu, RefusesSitesWithTheReason) {
  AttentionLibrary library = open(GivenOptions());
  const ProblemSize p{.grid = {{5, 6, 10}}, .tile = {{6, 8, 8}}, .heads = 4};
  const auto refusal = [&](auto change) {
    fv_attention_site site = site_of(p, kFloat32);
    change(site);
    return library.supports(site) ? std::string("taken") : library.message();
  };
  const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(says(refusal([](auto& s) { s.grid[1] = 0; }), "this site has none"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.grid[0] = s.grid[1] = s.grid[2] = 0; }), "this site has none"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.grid[0] = 6; }), "a grid of 6x6x10"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.tokens_after = 3; }), "3 after it must be all 300 queries"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.key_length = 512; }), "all 512 keys"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.grid[0] = s.grid[1] = s.grid[2] = INT64_C(1) << 40; }), "a grid of"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.role = FV_ROLE_DIT_CROSS; }), "not dit.cross"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.masks = FV_MASK_CAUSAL; }), "no masks but key lengths"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.kv_heads = 3; }), "cannot share 3 key heads"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.device.type = FV_DEVICE_CUDA; }), "runs on the CPU"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.dtype = kFloat64; }), "not float64"));
  EXPECT_EQ(refusal([](auto&) {}), "taken");
}

// A file is for one model, grid and number of steps: mismatches are refused before a run.
TEST(SlidingTileCpu, RefusesAStrategyThatIsNotTheSites) {
  const ProblemSize p{.grid = {{4, 6, 7}}, .tile = {{1, 2, 3}}, .heads = 2};
  StrategyTable table;
  table.add("tile", {1, 2, 3});
  for (int64_t s = 0; s < 3; ++s)
    for (int64_t l = 0; l < 2; ++l)
      for (int64_t h = 0; h < 2; ++h) table.add(s, l, h, {{4, 3, 3}});
  AttentionLibrary exact = open(GivenOptions().strategy(table));
  AttentionLibrary rescaled = open(GivenOptions().strategy(table).string("steps", "rescale").integer("dense_steps", 4));
  const auto answer = [&](AttentionLibrary& library, auto change) {
    fv_attention_site site = site_of(p, kFloat32, 2);
    site.steps = 3;
    change(site);
    return library.supports(site) ? std::string("taken") : library.message();
  };
  const auto nothing = [](auto&) {};
  EXPECT_EQ(answer(exact, nothing), "taken");
  EXPECT_EQ(answer(exact, [](auto& s) { s.steps = 0; }), "taken");  // the number of steps is not known
  EXPECT_EQ(answer(exact, [](auto& s) { s.steps = 5; }),
            "the strategy file s.json has 3 steps (its last entry is 2_1_1), and this run has 5: entry 3_0_0 is "
            "missing; ask for as many steps, or set steps = \"rescale\" to take the nearest");
  EXPECT_EQ(answer(exact, [](auto& s) { s.steps = 2; }),
            "the strategy file s.json has 3 steps (its last entry is 2_1_1), and this run has 2; ask for as many "
            "steps, or set steps = \"rescale\" to take the nearest");
  EXPECT_EQ(answer(exact, [](auto& s) { s.struct_size = offsetof(fv_attention_site, steps), s.steps = 2; }), "taken");
  EXPECT_EQ(answer(rescaled, [](auto& s) { s.steps = 5; }), "taken");
  EXPECT_EQ(answer(rescaled, nothing), "dense_steps = 4, and this run has 3 steps");
  EXPECT_EQ(answer(exact, [](auto& s) { s.layers = 3; }),
            "the strategy file s.json has 2 layers (its last entry is of layer 1), and the model has 3");
  EXPECT_EQ(answer(exact, [](auto& s) { s.total_heads = 4; }),
            "the strategy file s.json has 2 heads (its last entry is of head 1), and the model has 4");
  EXPECT_NE(answer(exact, [](auto& s) { s.grid[0] = 6, s.grid[1] = 4; }).find("windows for a grid of 4x3x3 tiles"),
            std::string::npos);
  EXPECT_NE(answer(exact, [](auto& s) { s.grid[0] = 0; }).find("this site has none"), std::string::npos);
}

TEST(SlidingTileCpu, ExplainsTileWindowAndDensity) {
  AttentionLibrary library = open(GivenOptions().string("window", "3x3x5"));
  ASSERT_TRUE(library.supports(site_of({.grid = {{30, 48, 80}}, .tile = {{6, 8, 8}}}, kFloat32)));
  EXPECT_EQ(library.message(), "tile 6x8x8 (5x6x10 of them), window 3x3x5, density 0.15");
}

}  // namespace
}  // namespace fastvideo::sliding_tile
