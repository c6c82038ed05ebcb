// The calibration against errors computed in float64 from the definition.
#include "plugins/attention/sliding_tile_attn/cpu/calibration.hpp"

#include <gtest/gtest.h>

#include <fastvideo/tensor_view.hpp>
#include <map>
#include <set>

#include "plugins/attention/sliding_tile_attn/tests/options.hpp"
#include "plugins/attention/sliding_tile_attn/tests/problem.hpp"

namespace fastvideo::sliding_tile {
namespace {

constexpr fv_services kNoServices{sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "test",
                                  [](const fv_services*, const char*) -> const void* { return nullptr; }};

Options view(const GivenOptions& options) {
  return {options.get().data(), static_cast<uint32_t>(options.get().size())};
}

fv_attention_site site_of(const ProblemSize& p, int32_t layers) {
  fv_attention_site site{};
  site.struct_size = sizeof(site);
  site.role = FV_ROLE_DIT_SELF;
  site.device = {FV_DEVICE_CPU, 0};
  site.dtype = kFloat32;
  site.head_size = static_cast<int32_t>(p.size);
  site.query_heads = site.kv_heads = site.total_heads = static_cast<int32_t>(p.heads);
  site.layers = layers;
  site.batch = p.batch;
  site.query_length = site.key_length = p.tokens();
  site.scale = 0.5;
  std::copy(p.grid.axis.begin(), p.grid.axis.end(), site.grid);
  return site;
}

// Attention of one head of a batch row, in float64.
std::vector<double> attention(const ProblemSize& p, const int64_t* raster, const Extent& window, double scale,
                              Elements<float>& q, Elements<float>& k, Elements<float>& v, int64_t b, int64_t head) {
  std::vector<double> out;
  for (int64_t i = 0; i < p.tokens(); ++i) {
    std::vector<double> row(static_cast<size_t>(p.size));
    double total = 0;
    for (int64_t j = 0; j < p.tokens(); ++j) {
      if (!sees(p, window, raster[i], raster[j])) continue;
      double score = 0;
      for (int64_t d = 0; d < p.size; ++d) score += double{q.row(b, i, head)[d]} * double{k.row(b, j, head)[d]};
      const double weight = std::exp(scale * score);
      total += weight;
      for (int64_t d = 0; d < p.size; ++d) row[static_cast<size_t>(d)] += weight * double{v.row(b, j, head)[d]};
    }
    for (const double x : row) out.push_back(x / total);
  }
  return out;
}

// "0_1_2": [1, 3, 5] of the file.
Extent entry(const std::string& file, const std::string& name) {
  const size_t at = file.find("\"" + name + "\": [");
  if (at == file.npos) throw std::runtime_error("no entry " + name);
  Extent extent;
  if (std::sscanf(file.c_str() + at + name.size() + 5, "%ld, %ld, %ld", &extent[0], &extent[1], &extent[2]) != 3)
    throw std::runtime_error("no sizes at " + name);
  return extent;
}

TEST(SlidingTileCalibration, GivesEachHeadTheSparsestWindowWithinTheError) {
  const ProblemSize p{.grid = {{3, 5, 5}}, .tile = {{1, 1, 1}}, .batch = 2, .heads = 2, .size = 8};
  constexpr int32_t kSteps = 2, kLayers = 2;
  constexpr double kGoal = 0.7;
  SlidingTileCalibration calibration(Host(&kNoServices),
                                     view(GivenOptions().number("calibrate_error", kGoal).string("tile", "1x1x1")));
  const fv_attention_site site = site_of(p, kLayers);
  ASSERT_TRUE(calibration.stand_in().supports(site).supported);
  const std::unique_ptr<AttentionPlan> plan = calibration.stand_in().plan(site);
  fv_attention_plan_info info{};
  plan->describe(info);
  std::vector<char> room(info.scratch_bytes + 64);
  void* scratch = room.data();
  size_t bytes = room.size();
  const TileGrid tiles(p.grid, p.tile);
  const std::vector<Extent> candidates = candidate_windows(tiles);

  std::map<std::string, std::vector<double>> errors;  // relative, of each candidate
  std::mt19937 random(11);
  for (int32_t step = 0; step < kSteps; ++step)
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      Elements<float> q(p.batch, p.tokens(), p.heads, p.size), k = q, v = q, out = q;
      for (Elements<float>* one : {&q, &k, &v}) one->fill_normal(random);
      // The later, the more a query looks at itself alone: its window may be small.
      for (size_t i = 0; i < q.data.size(); ++i) q.data[i] += static_cast<float>(step + layer) * k.data[i];
      int64_t shape[] = {p.batch, p.tokens(), p.heads, p.size};
      int64_t strides[] = {p.tokens() * p.heads * p.size, p.heads * p.size, p.size, 1};
      const auto tensor = [&](Elements<float>& e) {
        return fv_tensor{e.data.data(), {FV_DEVICE_CPU, 0}, 4, kFloat32, shape, strides, 0};
      };
      const fv_tensor tq = tensor(q), tk = tensor(k), tv = tensor(v), tout = tensor(out);
      fv_attention_args args{};
      args.struct_size = sizeof(args);
      args.q = &tq;
      args.k = &tk;
      args.v = &tv;
      args.out = &tout;
      args.step = step;
      args.steps = kSteps;
      args.layer = layer;
      args.scratch = std::align(64, info.scratch_bytes, scratch, bytes);
      plan->run(args);
      for (int64_t head = 0; head < p.heads; ++head) {
        std::vector<double>& of_place =
            errors[std::to_string(step) + "_" + std::to_string(layer) + "_" + std::to_string(head)];
        for (const Extent& window : candidates) {
          double difference = 0, norm = 0;
          for (int64_t b = 0; b < p.batch; ++b) {
            const auto dense = attention(p, info.token_order, p.grid, site.scale, q, k, v, b, head);
            const auto sparse = attention(p, info.token_order, window, site.scale, q, k, v, b, head);
            for (size_t i = 0; i < dense.size(); ++i) {
              norm += dense[i] * dense[i];
              difference += (sparse[i] - dense[i]) * (sparse[i] - dense[i]);
              if (window == p.grid) {  // the run itself is dense
                const auto token = static_cast<int64_t>(i) / p.size;
                EXPECT_NEAR(double{out.row(b, token, head)[static_cast<int64_t>(i) % p.size]}, dense[i], 1e-5);
              }
            }
          }
          of_place.push_back(std::sqrt(difference / norm));
        }
      }
    }

  const std::string file = calibration.finish();
  EXPECT_EQ(entry(file, "tile"), p.tile);
  EXPECT_EQ(entry(file, "tile_grid"), p.grid);
  std::set<std::string> chosen;
  for (const auto& [name, of_place] : errors) {
    const Extent window = entry(file, name);
    chosen.insert(to_text(window));
    const auto at = static_cast<size_t>(std::find(candidates.begin(), candidates.end(), window) - candidates.begin());
    ASSERT_LT(at, candidates.size()) << name;
    EXPECT_LE(of_place[at], kGoal + 1e-4) << name;  // measured in float32, checked in float64
    for (size_t c = 0; c < candidates.size(); ++c)
      EXPECT_TRUE(of_place[c] >= kGoal - 1e-4 || density(tiles, window) <= density(tiles, candidates[c])) << name;
  }
  EXPECT_GT(chosen.size(), 1U) << "all heads are alike: the test shows nothing";
}

TEST(SlidingTileCalibration, RefusesWhatHasNoEffect) {
  const auto refusal = [](const GivenOptions& options) {
    try {
      SlidingTileCalibration calibration(Host(&kNoServices), view(options));
      calibration.finish();
    } catch (const Refused& e) {
      return std::string(e.what());
    }
    return std::string("taken");
  };
  const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(says(refusal(GivenOptions()), "nothing was measured"));
  EXPECT_TRUE(says(refusal(GivenOptions().string("window", "3x3x3")), "window would have no effect"));
  EXPECT_TRUE(
      says(refusal(GivenOptions().number("calibrate_error", 0.1).number("calibrate_density", 0.1)), "two goals"));
  SlidingTileCalibration calibration(Host(&kNoServices), view(GivenOptions()));
  const Support one_tile = calibration.stand_in().supports(site_of({.grid = {{3, 4, 4}}, .tile = {{6, 8, 8}}}, 1));
  EXPECT_FALSE(one_tile.supported);
  EXPECT_TRUE(says(one_tile.reason, "the grid is one tile"));
}

}  // namespace
}  // namespace fastvideo::sliding_tile
