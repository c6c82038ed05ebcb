// Convolutions over [T, H, W, C] beside LibTorch's conv3d in float64, with oneDNN and without.
#include "pipelines/common/video_vae/convolution.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pipelines/common/video_vae/with_onednn.hpp"

namespace fastvideo {
namespace {

struct ConvolutionCase {
  int64_t in, out;
  std::array<int64_t, 3> kernel;
  at::ScalarType dtype;
  bool onednn;
};

double relative_error(const at::Tensor& ours, const at::Tensor& truth) {
  EXPECT_EQ(ours.sizes(), truth.sizes());
  return ((ours.to(at::kDouble) - truth).norm() / truth.norm()).item<double>();
}

TEST(Convolution, IsItsDefinition) {
  std::vector<ConvolutionCase> cases;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (const bool onednn : {true, false})
      for (const std::array<int64_t, 3> kernel :
           {std::array<int64_t, 3>{3, 3, 3}, {3, 1, 1}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}})
        for (const auto& [in, out] : {std::pair<int64_t, int64_t>{16, 16}, {5, 3}, {1, 7}, {136, 24}})
          cases.push_back({in, out, kernel, dtype, onednn});
  for (const ConvolutionCase& c : cases) {
    const WithOneDnn with(c.onednn);
    const at::Tensor weight = at::randn({c.out, c.in, c.kernel[0], c.kernel[1], c.kernel[2]}).to(c.dtype);
    const at::Tensor bias = at::randn({c.out}).to(c.dtype);
    const std::array<int64_t, 2> padding = {c.kernel[1] / 2, c.kernel[2] / 2};
    Convolution convolution(weight, bias, padding);
    for (const std::array<int64_t, 2> size : {std::array<int64_t, 2>{6, 9}, {19, 4}}) {  // packed for each
      const at::Tensor frames = at::randn({5, size[0], size[1], c.in}).to(c.dtype);
      const at::Tensor clip = frames.to(at::kDouble).permute({3, 0, 1, 2}).unsqueeze(0);
      const at::Tensor truth =
          at::conv3d(clip, weight.to(at::kDouble), bias.to(at::kDouble), {1, 1, 1}, {0, padding[0], padding[1]})
              .squeeze(0)
              .permute({1, 2, 3, 0});
      const at::Tensor out = convolution.run(frames);
      at::Tensor sum = at::ones_like(out);
      convolution.add_to(sum, frames);
      // Sums of up to 3,672 products in float32; in bfloat16 the result is rounded to 2^-8, after each of 3 frames of a
      // kernel where it is computed frame by frame, and once more when added.
      const double bar = c.dtype == at::kFloat ? 2e-6 : 8e-3;
      EXPECT_TRUE(out.is_contiguous());
      EXPECT_LT(relative_error(out, truth), bar) << c.in << " " << c.kernel[0] << c.kernel[1] << " " << c.onednn;
      EXPECT_LT(relative_error(sum, truth + 1), bar) << c.in << " " << c.kernel[0] << c.kernel[1] << " " << c.onednn;
    }
  }
}

}  // namespace
}  // namespace fastvideo
