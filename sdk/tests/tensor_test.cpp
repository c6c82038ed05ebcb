// Views of borrowed tensors: strides, broadcasting, wrong shapes.
#include <gtest/gtest.h>

#include <fastvideo/plugin.hpp>

namespace {

TEST(TensorView, FollowsStridesAndOffset) {
  float data[12];
  for (int i = 0; i < 12; ++i) data[i] = static_cast<float>(i);
  int64_t shape[2] = {2, 2}, strides[2] = {4, 1};
  const fv_tensor t{data, {FV_DEVICE_CPU, 0}, 2, fastvideo::kFloat32, shape, strides, 2 * sizeof(float)};
  const fastvideo::TensorView<const float, 2> view(t);
  EXPECT_EQ(view(0, 0), 2);
  EXPECT_EQ(view(1, 1), 7);
}

TEST(TensorView, BroadcastReadsLengthOneAtZero) {
  float data[3] = {1, 2, 3};
  int64_t shape[2] = {1, 3}, strides[2] = {3, 1};
  const fv_tensor t{data, {FV_DEVICE_CPU, 0}, 2, fastvideo::kFloat32, shape, strides, 0};
  EXPECT_EQ((fastvideo::TensorView<const float, 2>(t).broadcast(5, 2)), 3);
}

TEST(TensorView, RefusesAnotherRankOrWidth) {
  float data[1] = {};
  int64_t shape[1] = {1}, strides[1] = {1};
  const fv_tensor t{data, {FV_DEVICE_CPU, 0}, 1, fastvideo::kFloat32, shape, strides, 0};
  EXPECT_THROW((fastvideo::TensorView<float, 2>(t)), std::invalid_argument);
  EXPECT_THROW((fastvideo::TensorView<double, 1>(t)), std::invalid_argument);
}

TEST(DtypeName, IsDlpacks) {
  EXPECT_EQ(fastvideo::dtype_name(fastvideo::kBFloat16), "bfloat16");
  EXPECT_EQ(fastvideo::dtype_name(fastvideo::kBool), "bool");
  EXPECT_EQ(fastvideo::dtype_name({FV_FLOAT, 32, 4}), "float32x4");
}

}  // namespace
