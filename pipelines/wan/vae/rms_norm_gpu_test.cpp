// The fused norm on CUDA beside its definition_on_cuda in float64. Skipped without a GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pipelines/common/testing/cuda.hpp"
#include "pipelines/wan/vae/rms_norm.hpp"

namespace fastvideo::wan {
namespace {

at::Tensor definition_on_cuda(const at::Tensor& x, const at::Tensor& gamma, Activation activation) {
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor norm = at::linalg_vector_norm(wide, 2, at::IntArrayRef({-1}), true).clamp_min(1e-12);
  const at::Tensor y = wide / norm * std::sqrt(static_cast<double>(x.size(-1))) * gamma.to(at::kDouble);
  return activation == Activation::silu ? y / (1 + at::exp(-y)) : y;
}

// Into the middle of a frame buffer, whose other frames stay as they are.
TEST(RmsNormOnCuda, IsItsDefinition) {
  if (!testing::cuda_is_here()) GTEST_SKIP() << "no CUDA device";
  at::manual_seed(5);
  for (const int64_t channels : {3, 8, 16, 17, 48, 96, 192, 384, 1024})
    for (const Activation activation : {Activation::none, Activation::silu})
      for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        const auto options = at::TensorOptions(at::kCUDA).dtype(type);
        const at::Tensor x = at::randn({3, 7, 11, channels}, options).mul_(3);
        const at::Tensor gamma = at::randn({channels}, options.dtype(at::kFloat)).mul_(4);
        const at::Tensor buffer = at::full({6, 7, 11, channels}, 1e4, options);  // larger than any output of a norm
        at::Tensor out = buffer.narrow(0, 2, 3);
        const at::Tensor others = at::cat({buffer.narrow(0, 0, 2), buffer.narrow(0, 5, 1)});
        rms_norm(x, gamma, activation, out);
        const at::Tensor truth = definition_on_cuda(x, gamma, activation);
        const double error = ((out.to(at::kDouble) - truth).norm() / truth.norm()).item<double>();
        // bfloat16: one rounding, 2^-8 at most; LibTorch's two kernels, for channels that are no multiple of 16 bytes,
        // round twice and the weights too.
        const double bar = type == at::kFloat ? 1e-6 : channels % 8 == 0 ? 3.91e-3 : 3 * 3.91e-3;
        EXPECT_LT(error, bar) << channels << " " << type;
        EXPECT_TRUE(at::equal(at::cat({buffer.narrow(0, 0, 2), buffer.narrow(0, 5, 1)}), others)) << channels;
      }
}

TEST(RmsNormOnCuda, KeepsExtremesAsTheyAre) {
  if (!testing::cuda_is_here()) GTEST_SKIP() << "no CUDA device";
  at::Tensor x = at::zeros({4, 16});
  x[1].fill_(1e-30);  // below the norm's floor
  x[2][0] = 1e15;
  x[3][5] = NAN;
  x = x.to(at::kCUDA);
  const at::Tensor gamma = at::full({16}, 100.0, x.options());
  at::Tensor out = at::empty_like(x);
  rms_norm(x, gamma, Activation::silu, out);
  EXPECT_TRUE(at::allclose(out.narrow(0, 0, 3).to(at::kDouble),
                           definition_on_cuda(x.narrow(0, 0, 3), gamma, Activation::silu), 1e-5, 1e-30));
  EXPECT_TRUE(out[3].isnan().all().item<bool>());
  at::Tensor negative = at::full({1, 16}, -1.0, x.options()), small = at::empty_like(negative);
  rms_norm(negative, gamma, Activation::silu, small);  // SiLU of -100: no overflow, next to nothing
  EXPECT_TRUE((small.abs() < 1e-35).all().item<bool>());
}

}  // namespace
}  // namespace fastvideo::wan
