#include "pipelines/common/diffusion/latent_watch.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "pipelines/common/readback/counted_readback.hpp"

namespace fastvideo {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

at::Tensor good(int32_t step) { return at::arange(6, at::kFloat) + step; }
at::Tensor bad(float value) {
  at::Tensor x = good(0);
  x[4] = value;
  return x;
}

TEST(LatentWatch, NoStepIsWaitedFor) {
  testing::SlowDevice device;
  LatentWatch watch(device.start());
  for (int32_t step = 0; step < 20; ++step) {
    EXPECT_FALSE(watch.note(step, good(step), good(step + 1)));
    if (step > 10 && step < 16) device.arrived = step;  // nothing arrives, then all but the newest, then nothing
  }
  EXPECT_EQ(device.started, 20);
  EXPECT_EQ(device.waited, 0);
  EXPECT_FALSE(watch.finish());
  EXPECT_EQ(device.waited, 1);  // after the loop, for the last one: with it all are there
}

TEST(LatentWatch, ABadStepIsFoundWhenItsNumbersArrive) {
  for (const float value : {kNaN, kInfinity, -kInfinity}) {
    testing::SlowDevice device;
    LatentWatch watch(device.start());
    EXPECT_FALSE(watch.note(0, good(0), good(1)));
    EXPECT_FALSE(watch.note(1, good(1), bad(value)));
    device.arrived = 1;
    EXPECT_FALSE(watch.note(2, bad(value), bad(value)));
    device.arrived = 3;
    const auto found = watch.note(3, bad(value), bad(value));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->step, 1);  // the first of the bad steps
    EXPECT_TRUE(at::equal(found->input, good(1)));
    EXPECT_EQ(device.waited, 0);
  }
}

TEST(LatentWatch, ABadStepIsFoundAfterTheLastAtTheLatest) {
  testing::SlowDevice device;
  LatentWatch watch(device.start());
  EXPECT_FALSE(watch.note(0, good(0), good(1)));
  EXPECT_FALSE(watch.note(1, good(1), at::full({6}, 3.0f)));
  const auto found = watch.finish();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->step, 1);
  EXPECT_EQ(defect_of(found->output), "one value everywhere");
}

TEST(LatentWatch, OnTheCpuAStepIsJudgedAtOnce) {
  LatentWatch watch;
  EXPECT_FALSE(watch.note(0, good(0), good(1)));
  const auto found = watch.note(1, good(1), bad(kNaN));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->step, 1);
}

}  // namespace
}  // namespace fastvideo
