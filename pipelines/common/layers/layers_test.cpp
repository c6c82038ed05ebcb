// Norms and the operations fused with them, on the CPU and on CUDA, against their formulas in float64.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "pipelines/common/layers/layer_norm.hpp"
#include "pipelines/common/layers/linear.hpp"
#include "pipelines/common/layers/rms_norm.hpp"
#include "pipelines/common/testing/cuda.hpp"

namespace fastvideo {
namespace {

constexpr at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16, at::kHalf};

// Half a unit in the last place, 2^-8 or 2^-11, and a little for the errors of float32 arithmetic before the one
// rounding. In float32 itself: the roundings of a handful of operations, 6e-8 each.
double tolerance(at::ScalarType type) {
  if (type == at::kBFloat16) return 1.001 / 256;
  return type == at::kHalf ? 1.02 / 2048 : 1e-6;
}

double relative_error(const at::Tensor& got, const at::Tensor& truth) {
  if (got.sizes() != truth.sizes()) return INFINITY;
  const double error = ((got.to(at::kDouble) - truth).norm() / truth.norm().clamp_min(1e-300)).item<double>();
  return std::isnan(error) ? INFINITY : error;
}

at::Tensor affine_of(const at::Tensor& normed, const Affine& map) {
  const auto wide = [](const at::Tensor& t) {
    return t.dim() == 2 ? t.to(at::kDouble).unsqueeze(1) : t.to(at::kDouble);
  };
  return normed * wide(map.scale) + wide(map.shift);
}

at::Tensor layer_norm_formula(const at::Tensor& x, const Affine& map, double eps) {
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor centred = wide - wide.mean(-1, true);
  return affine_of(centred / (centred.square().mean(-1, true) + eps).sqrt(), map);
}

at::Tensor add_formula(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  const at::Tensor wide = y.to(at::kDouble);
  return x.to(at::kDouble) + (gate.defined() ? wide * gate.to(at::kDouble).unsqueeze(1) : wide);
}

at::Tensor rms_norm_formula(const at::Tensor& x, const at::Tensor& weight, double eps, const RotaryTable* table) {
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor normed = wide / (wide.square().mean(-1, true) + eps).sqrt() * weight.to(at::kDouble);
  if (table == nullptr) return normed;
  const at::Tensor pairs = normed.unflatten(-1, {-1, table->cos.size(1), 2});  // [B, L, H, D / 2, 2]
  const at::Tensor a = pairs.select(-1, 0), b = pairs.select(-1, 1);
  const at::Tensor cos = table->cos.to(at::kDouble).unsqueeze(1), sin = table->sin.to(at::kDouble).unsqueeze(1);
  return at::stack({a * cos - b * sin, a * sin + b * cos}, -1).view(x.sizes());
}

class Layers : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const bool cuda = testing::cuda_is_here();
    if (std::string(GetParam()) == "cuda" && !cuda) GTEST_SKIP() << "no CUDA device";
    device_ = at::Device(GetParam());
    at::manual_seed(7);
  }
  // Normal numbers, drawn on the CPU: the same on every device.
  at::Tensor normal(at::IntArrayRef shape, at::ScalarType type = at::kFloat, double deviation = 1,
                    double mean = 0) const {
    return at::randn(shape).mul_(deviation).add_(mean).to(at::TensorOptions(device_).dtype(type));
  }
  // Parameters as a modulation table hands them over: rows of a larger tensor.
  Affine modulation(int64_t batch, int64_t channels) const {
    const at::Tensor table = normal({batch, 6, channels});
    return {table.select(1, 1).add(1), table.select(1, 0)};
  }
  at::Device device_{at::kCPU};
};

// Channels that kernels divide among 32 to 512 threads, and some that are no multiple of 16 bytes; 1 to 3 batch rows;
// numbers of tokens that leave the last block of threads partly empty.
TEST_P(Layers, LayerNormIsItsFormula) {
  for (const at::ScalarType type : kTypes)
    for (const int64_t channels : {1, 7, 8, 20, 64, 1000, 1536, 5120, 8192})
      for (const int64_t batch : {1, 3}) {
        const at::Tensor x = normal({batch, 5, channels}, type, 2, 0.5);
        for (const Affine& map : {modulation(batch, channels), Affine{normal({channels}), normal({channels})}})
          EXPECT_LT(relative_error(layer_norm(x, map, 1e-6), layer_norm_formula(x, map, 1e-6)), tolerance(type))
              << type << ", " << batch << " x 5 x " << channels;
      }
}

TEST_P(Layers, SumsAreGatedAndThenNormed) {
  for (const at::ScalarType type : kTypes)
    for (const int64_t channels : {8, 20, 1536, 5120})
      for (const int64_t batch : {1, 2})
        for (const bool gated : {true, false}) {
          const at::Tensor x = normal({batch, 7, channels}, type), y = normal({batch, 7, channels}, type);
          const at::Tensor kept_x = x.clone();
          const at::Tensor gate = gated ? normal({batch, 3, channels}).select(1, 2) : at::Tensor();
          const at::Tensor truth = add_formula(x, y, gate);
          EXPECT_LT(relative_error(add_gated(x, y.clone(), gate), truth), tolerance(type)) << type << channels;
          const Affine map = modulation(batch, channels);
          const SumAndNorm both = add_and_norm(x, y, gate, map, 1e-6);
          EXPECT_LT(relative_error(both.sum, truth), tolerance(type)) << type << channels;
          EXPECT_LT(relative_error(both.normed, layer_norm_formula(both.sum, map, 1e-6)), tolerance(type))
              << type << channels;
          EXPECT_TRUE(at::equal(x, kept_x)) << "x was written to";
        }
}

TEST_P(Layers, LayerNormKeepsRowsApart) {
  at::Tensor x = normal({1, 6, 1536});
  x[0][0].zero_();
  x[0][1].fill_(3);    // no variance
  x[0][2].add_(1000);  // a mean far above the deviation: one pass over squares would lose three digits more
  x[0][3][700] = NAN;
  x[0][4][3] = 1e18;
  const Affine map = modulation(1, 1536);
  const at::Tensor out = layer_norm(x, map, 1e-6), truth = layer_norm_formula(x, map, 1e-6);
  EXPECT_TRUE(at::equal(out[0][0], map.shift[0]));
  EXPECT_TRUE(at::equal(out[0][1], map.shift[0]));
  EXPECT_LT(relative_error(out[0][2], truth[0][2]), 1e-4);  // float32 rounds 1000 + x by up to 6e-5 / 2
  EXPECT_TRUE(out[0][3].isnan().all().item<bool>());
  EXPECT_LT(relative_error(out[0][4], truth[0][4]), 1e-5);
  EXPECT_LT(relative_error(out[0][5], truth[0][5]), 1e-6);
}

TEST_P(Layers, RmsNormAndRotationAreTheirFormula) {
  struct Heads {
    int64_t count, size;
  };
  for (const at::ScalarType type : kTypes)
    for (const auto& [count, size] : {Heads{1, 8}, {3, 20}, {2, 24}, {1, 128}, {12, 128}, {40, 128}, {64, 64}})
      for (const int64_t batch : {1, 2}) {
        const int64_t channels = count * size;
        const at::Tensor x = normal({batch, 9, channels}, type, 3), weight = normal({channels}, type, 0.3, 1);
        const at::Tensor angles = normal({9, size / 2}, at::kFloat, 3);
        const RotaryTable table{angles.cos(), angles.sin()};
        for (const RotaryTable* rotary : {static_cast<const RotaryTable*>(nullptr), &table})
          EXPECT_LT(relative_error(rms_norm_rotary(x.clone(), weight, 1e-6, rotary),
                                   rms_norm_formula(x, weight, 1e-6, rotary)),
                    tolerance(type))
              << type << ", " << batch << " x 9 x " << count << " heads of " << size << (rotary ? ", rotated" : "");
        const at::Tensor kept = x.clone();
        EXPECT_LT(relative_error(rms_norm(x, weight, 1e-2), rms_norm_formula(x, weight, 1e-2, nullptr)),
                  tolerance(type));
        EXPECT_TRUE(at::equal(x, kept)) << "x was written to";
      }
}

TEST_P(Layers, GeluIsTheTanhApproximation) {
  for (const at::ScalarType type : kTypes)
    for (const bool with_bias : {true, false}) {
      const Linear linear{normal({96, 64}, type, 0.25), with_bias ? normal({96}, type) : at::Tensor()};
      const at::Tensor x = normal({2, 33, 64}, type);
      at::Tensor wide = at::matmul(x.to(at::kDouble), linear.weight.to(at::kDouble).t());
      if (with_bias) wide = wide + linear.bias.to(at::kDouble);
      // A rounding before the GELU is allowed for, beside the one after it.
      EXPECT_LT(relative_error(linear.with_gelu(x), at::gelu(wide, "tanh")), 2 * tolerance(type)) << type;
      EXPECT_GT(relative_error(at::gelu(wide, "none"), at::gelu(wide, "tanh")), 1e-4);
    }
}

INSTANTIATE_TEST_SUITE_P(On, Layers, ::testing::Values("cpu", "cuda"),
                         [](const auto& where) { return std::string(where.param); });

}  // namespace
}  // namespace fastvideo
