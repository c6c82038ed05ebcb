#include "pipelines/common/video_vae/rgb8.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fastvideo {
namespace {

// Halves to even, as numpy rounds: (x / 2 + 1/2) * 255 is exactly k + 1/2 for these float32 values alone.
TEST(Rgb8, RoundsAndClampsAsDiffusers) {
  const at::Tensor samples = at::tensor({-2.0F, -1.0F, -0.9999F, 0.0F, 0.5F, 0.99F, 1.0F, 3.0F});
  EXPECT_TRUE(at::equal(to_rgb8(samples), at::tensor({0, 0, 0, 128, 191, 254, 255, 255}).to(at::kByte)));
}

}  // namespace
}  // namespace fastvideo
