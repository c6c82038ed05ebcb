// The CUDA kernels beside LibTorch's operators: which calls they support, and that the layers use them for these.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "pipelines/common/layers/kernel_call.hpp"
#include "pipelines/common/layers/layer_norm.hpp"
#include "pipelines/common/layers/rms_norm.hpp"
#include "pipelines/common/testing/cuda.hpp"

namespace fastvideo {
namespace {

alignas(16) const float kSomewhere[8] = {};

kernels::AddNorm wan_sum() {
  kernels::AddNorm call{};
  call.element = kernels::Element::bfloat16;
  call.batch = 1;
  call.tokens = 32760;
  call.channels = 1536;
  call.x = call.y = kSomewhere;
  call.sum = call.out = const_cast<float*>(kSomewhere);
  return call;
}

kernels::RmsNorm wan_queries() {
  kernels::RmsNorm call{};
  call.element = call.weight_element = kernels::Element::bfloat16;
  call.rows = call.tokens = 32760;
  call.channels = 1536;
  call.head_size = 128;
  call.x = call.weight = kSomewhere;
  call.out = const_cast<float*>(kSomewhere);
  call.cos = call.sin = kSomewhere;
  return call;
}

template <class Call, class Change>
std::string refusal_after(Call call, const Change& change) {
  change(call);
  return kernels::refusal(call);
}

TEST(Kernels, RefuseWhatTheyCannotReadIn16Bytes) {
  if (!kernels::built()) GTEST_SKIP() << kernels::refusal(wan_sum());
  EXPECT_EQ(kernels::refusal(wan_sum()), "");
  EXPECT_EQ(kernels::refusal(wan_queries()), "");
  const auto sum = [](auto change) { return refusal_after(wan_sum(), change); };
  EXPECT_EQ(sum([](auto& c) { c.channels = 20; }), "rows of 40 bytes are no multiple of 16");
  EXPECT_EQ(sum([](auto& c) { c.channels = 16392; }), "rows of 32784 bytes; the kernels take 32768");
  EXPECT_EQ(sum([](auto& c) { c.tokens = int64_t{1} << 31; }), "2147483648 rows; the kernels take 1 to 2^31 - 1");
  EXPECT_EQ(sum([](auto& c) { c.tokens = 0; }), "no rows");
  EXPECT_EQ(sum([](auto& c) { c.y = kSomewhere + 1; }), "a pointer is not aligned to 16 bytes");
  EXPECT_EQ(sum([](auto& c) { c.gate = kSomewhere + 2; }), "a pointer is not aligned to 16 bytes");
  EXPECT_EQ(sum([](auto& c) { c.shift_stride = 6; }), "a stride of parameters is no multiple of 16 bytes");
  const auto norm = [](auto change) { return refusal_after(wan_queries(), change); };
  EXPECT_EQ(norm([](auto& c) { c.head_size = 12, c.channels = 24; }),
            "heads of 12 channels are no multiple of 16 bytes");
  EXPECT_EQ(norm([](auto& c) { c.head_size = 80; }), "a rotary table of another shape");
  EXPECT_EQ(norm([](auto& c) { c.tokens = 1000; }), "a rotary table of another shape");
  EXPECT_EQ(norm([](auto& c) { c.weight_element = kernels::Element::float16; }),
            "weights are of the elements' type or float32");
  EXPECT_EQ(norm([](auto& c) { c.sin = kSomewhere + 1; }), "a pointer is not aligned to 16 bytes");
}

TEST(Kernels, AreAbsentOnTheCpu) {
  EXPECT_FALSE(try_launch(wan_sum(), at::kCPU));
  EXPECT_FALSE(try_launch(wan_queries(), at::kCPU));
  EXPECT_FALSE(kernel_element(at::kDouble));
}

class KernelsOnCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::cuda_is_here()) GTEST_SKIP() << "no CUDA device";
    if (!kernels::built()) GTEST_SKIP() << kernels::refusal(wan_sum());
    if (!kernels::runs_on(0)) GTEST_SKIP() << "a device before compute capability 8.0";
    at::manual_seed(3);
  }
  static at::Tensor normal(at::IntArrayRef shape, at::ScalarType type = at::kBFloat16) {
    return at::randn(shape, at::TensorOptions(at::kCUDA).dtype(at::kFloat)).to(type);
  }
};

// Rows of every number of threads, and a last block that is not full: memory behind the rows stays as it was.
TEST_F(KernelsOnCuda, WriteTheirRowsAlone) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16})
    for (const int64_t channels : {8, 96, 200, 264, 520, 1536, 3080, 8192})
      for (const int64_t rows : {1, 3, 33}) {
        const at::Tensor x = normal({rows, channels}, type), y = normal({rows, channels}, type);
        at::Tensor out = at::full({rows + 64, channels}, 5.0, x.options()), sum = at::full_like(out, 5.0);
        kernels::AddNorm add{};
        add.element = *kernel_element(type);
        add.batch = 1;
        add.tokens = rows;
        add.channels = channels;
        add.x = x.const_data_ptr();
        add.y = y.const_data_ptr();
        add.sum = sum.data_ptr();
        add.out = out.data_ptr();
        add.eps = 1e-6F;
        ASSERT_TRUE(try_launch(add, x.device()));
        EXPECT_TRUE(at::equal(sum.narrow(0, 0, rows), x + y)) << channels;
        EXPECT_TRUE((sum.narrow(0, rows, 64) == 5).all().item<bool>()) << channels;
        EXPECT_TRUE((out.narrow(0, rows, 64) == 5).all().item<bool>()) << channels;
        EXPECT_TRUE(
            at::allclose(out.narrow(0, 0, rows).to(at::kFloat).mean(-1), at::zeros({rows}, at::kCUDA), 0, 1e-2));

        out.fill_(5);
        const at::Tensor weight = normal({channels}, at::kFloat);
        kernels::RmsNorm norm{};
        norm.element = *kernel_element(type);
        norm.weight_element = kernels::Element::float32;
        norm.rows = rows;
        norm.channels = channels;
        norm.x = x.const_data_ptr();
        norm.out = out.data_ptr();
        norm.weight = weight.const_data_ptr();
        norm.eps = 1e-6F;
        norm.silu = true;
        ASSERT_TRUE(try_launch(norm, x.device()));
        EXPECT_TRUE((out.narrow(0, rows, 64) == 5).all().item<bool>()) << channels;
        const at::Tensor wide = x.to(at::kDouble);
        const at::Tensor truth = at::silu(wide / wide.square().mean(-1, true).sqrt() * weight);
        const at::Tensor error = (out.narrow(0, 0, rows).to(at::kDouble) - truth).norm() / truth.norm();
        // Half a unit in the last place; the fast exponential of float32 errs by a few 1e-7.
        EXPECT_LT(error.item<double>(), type == at::kFloat ? 1e-6 : 1.001 / 256) << channels;
      }
}

// The shapes of Wan 1.3B and 14B at 480p, where the kernels replace LibTorch's operators.
TEST_F(KernelsOnCuda, AgreeWithLibTorchOnAWholeVideo) {
  const auto difference = [](const at::Tensor& a, const at::Tensor& b) {
    return ((a.to(at::kFloat) - b.to(at::kFloat)).norm() / b.to(at::kFloat).norm()).item<double>();
  };
  // Two results that are each rounded once differ where their float32 values straddle a border: seldom.
  constexpr double kSeldom = 3e-4;
  for (const int64_t channels : {1536, 5120}) {
    const at::Tensor x = normal({1, 32760, channels}), y = normal({1, 32760, channels});
    const at::Tensor modulation = normal({1, 6, channels}, at::kFloat);
    const Affine map{modulation.select(1, 1), modulation.select(1, 0)};
    const at::Tensor gate = modulation.select(1, 2);
    EXPECT_LT(difference(layer_norm(x, map, 1e-6), by_libtorch::layer_norm(x, map, 1e-6)), kSeldom);
    const at::Tensor sum = by_libtorch::add_gated(x, y.clone(), gate);
    const SumAndNorm both = add_and_norm(x, y.clone(), gate, map, 1e-6);
    EXPECT_LT(difference(both.sum, sum), kSeldom);
    EXPECT_LT(difference(both.normed, by_libtorch::layer_norm(both.sum, map, 1e-6)), kSeldom);

    const at::Tensor angles = normal({32760, 64}, at::kFloat), weight = normal({channels});
    const RotaryTable table{angles.cos(), angles.sin()};
    for (const RotaryTable* rotary : {static_cast<const RotaryTable*>(nullptr), &std::as_const(table)})
      EXPECT_LT(difference(rms_norm_rotary(x.clone(), weight, 1e-6, rotary),
                           by_libtorch::rms_norm_rotary(x.clone(), weight, 1e-6, rotary)),
                kSeldom);
  }
}

}  // namespace
}  // namespace fastvideo
