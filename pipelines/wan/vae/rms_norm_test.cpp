// The fused norm beside its definition in float64.
#include "pipelines/wan/vae/rms_norm.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

namespace fastvideo::wan {
namespace {

at::Tensor definition(const at::Tensor& x, const at::Tensor& gamma, Activation activation) {
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor norm = at::linalg_vector_norm(wide, 2, at::IntArrayRef({-1}), true).clamp_min(1e-12);
  const at::Tensor y = wide / norm * std::sqrt(static_cast<double>(x.size(-1))) * gamma.to(at::kDouble);
  return activation == Activation::silu ? y / (1 + at::exp(-y)) : y;
}

double relative_error(const at::Tensor& x, const at::Tensor& gamma, Activation activation) {
  at::Tensor out = at::full_like(x, NAN);
  rms_norm(x, gamma, activation, out);
  const at::Tensor truth = definition(x, gamma, activation);
  return ((out.to(at::kDouble) - truth).norm() / truth.norm()).item<double>();
}

// Channels below, at and beyond the vectors' widths; rows enough for several threads.
TEST(RmsNorm, IsItsDefinition) {
  at::set_num_threads(2);
  for (const int64_t channels : {1, 3, 8, 16, 17, 48, 96, 384})
    for (const Activation activation : {Activation::none, Activation::silu}) {
      const at::Tensor x = at::randn({3, 7, 11, channels}) * 3, gamma = at::randn({channels}) * 4;
      EXPECT_LT(relative_error(x, gamma, activation), 3e-7) << channels;  // float32: a few roundings of 6e-8
      // One rounding to bfloat16, of 8 significant bits: 2^-8 at most.
      EXPECT_LT(relative_error(x.to(at::kBFloat16), gamma, activation), 3.91e-3) << channels;
    }
}

TEST(RmsNorm, RoundsBFloat16ToNearest) {
  const at::Tensor x = at::randn({1000, 16}).to(at::kBFloat16), gamma = at::randn({16});
  at::Tensor out = at::empty_like(x);
  rms_norm(x, gamma, Activation::none, out);
  const at::Tensor nearest = definition(x, gamma, Activation::none).to(at::kFloat).to(at::kBFloat16);
  // Float32 may err by its last bits where the value lies between two bfloat16 numbers: rare.
  EXPECT_GT((out == nearest).to(at::kDouble).mean().item<double>(), 0.999);
}

TEST(RmsNorm, KeepsExtremesAsTheyAre) {
  at::Tensor x = at::zeros({4, 16});
  x[1].fill_(1e-30);  // below the norm's floor
  x[2][0] = 1e15;
  x[3][5] = NAN;
  const at::Tensor gamma = at::full({16}, 100.0);
  at::Tensor out = at::empty_like(x);
  rms_norm(x, gamma, Activation::silu, out);
  EXPECT_TRUE(at::allclose(out.narrow(0, 0, 3).to(at::kDouble), definition(x.narrow(0, 0, 3), gamma, Activation::silu),
                           1e-5, 1e-30));
  EXPECT_TRUE(out[3].isnan().all().item<bool>());
  at::Tensor negative = at::full({1, 16}, -1.0), small = at::empty_like(negative);
  rms_norm(negative, gamma, Activation::silu, small);  // SiLU of -100: no overflow, next to nothing
  EXPECT_TRUE((small.abs() < 1e-35).all().item<bool>());
}

}  // namespace
}  // namespace fastvideo::wan
