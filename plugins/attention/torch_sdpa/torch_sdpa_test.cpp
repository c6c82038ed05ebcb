// TORCH_SDPA on the CPU, against the formula in float64.
#include <gtest/gtest.h>

#include <fastvideo/plugin.hpp>
#include <fastvideo/torch.hpp>
#include <thread>

#include "plugins/attention/torch_sdpa/matrix_product.hpp"
#include "plugins/attention/torch_sdpa/test_support.hpp"

namespace fastvideo::torch_sdpa_test {
namespace {

using torch_sdpa::matrix_product;

constexpr at::ScalarType kTypes[] = {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf};

void expect_formula(const Backend& backend, const Problem& p, const std::string& what) {
  const Result result = run(backend, p);
  EXPECT_EQ(result.ran, result.kernel) << what;
  EXPECT_LT(relative_error(result.out, formula(p)), tolerance(p.q.scalar_type()))
      << what << ", q " << p.q.sizes() << ", k " << p.k.sizes() << ", kernel " << result.kernel;
}

class EveryMask : public testing::TestWithParam<uint32_t> {};

TEST_P(EveryMask, IsTheFormulaInEveryType) {
  std::mt19937 random(GetParam() + 1);
  for (const char* kernel : {"auto", "math", "flash"}) {
    const Backend backend(kernel);
    for (const at::ScalarType dtype : kTypes) {
      for (int i = 0; i < 3; ++i) {
        const bool causal = (GetParam() & FV_MASK_CAUSAL) != 0;
        const Problem p = random_problem(random, {dtype, GetParam(), causal, i == 1});
        expect_formula(backend, p, std::string(at::toString(dtype)) + " " + kernel);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Masks, EveryMask,
                         testing::Values(0, FV_MASK_CAUSAL, FV_MASK_FRAME_CAUSAL, FV_MASK_KEY_LENGTHS, FV_MASK_BOOLEAN,
                                         FV_MASK_BIAS, FV_MASK_BOOLEAN | FV_MASK_KEY_LENGTHS,
                                         FV_MASK_BIAS | FV_MASK_KEY_LENGTHS, FV_MASK_CAUSAL | FV_MASK_KEY_LENGTHS,
                                         FV_MASK_CAUSAL | FV_MASK_BOOLEAN,
                                         FV_MASK_CAUSAL | FV_MASK_BIAS | FV_MASK_KEY_LENGTHS,
                                         FV_MASK_FRAME_CAUSAL | FV_MASK_CAUSAL, FV_MASK_FRAME_CAUSAL | FV_MASK_BIAS,
                                         FV_MASK_FRAME_CAUSAL | FV_MASK_BOOLEAN | FV_MASK_KEY_LENGTHS));

TEST(TorchSdpa, AFloat32BiasBesideShorterTypesKeepsItsPrecision) {
  std::mt19937 random(3);
  const Backend backend("auto");
  Problem p = random_problem(random, {at::kBFloat16, FV_MASK_BIAS});
  p.mask = p.mask.to(at::kFloat) * 1.001;  // no longer a bfloat16
  expect_formula(backend, p, "float32 bias");
  p.mask = p.mask.to(at::kDouble);
  expect_formula(backend, p, "float64 bias");
}

TEST(TorchSdpa, NoKeysGiveZeros) {
  const Backend backend("auto");
  Problem p;
  p.q = at::randn({1, 4, 2, 8});
  p.k = p.v = at::randn({1, 0, 2, 8});
  EXPECT_TRUE(run(backend, p).out.eq(0).all().item<bool>());
}

TEST(TorchSdpa, ARunMayBeSmallerThanItsSite) {
  std::mt19937 random(4);
  const Backend backend("auto");
  const Problem p = random_problem(random, {at::kFloat, FV_MASK_KEY_LENGTHS});
  fv_attention_site site = p.site();
  site.batch = 8;
  site.query_length = site.key_length = 500;
  EXPECT_FALSE(backend.refusal(site));
  expect_formula(backend, p, "small run");  // its own site is that of p
}

TEST(TorchSdpa, SaysWhichKernelASiteGets) {
  EXPECT_EQ(Backend("auto").remark(plain_site()), "flash, chosen by LibTorch");
  EXPECT_EQ(Backend("math").remark(plain_site()), "math, forced");
}

TEST(TorchSdpa, AKernelThatCannotServeIsRefusedWithTheReason) {
  EXPECT_EQ(Backend("cudnn").refusal(plain_site()),
            "LibTorch cannot use its cudnn kernel: it exists on CUDA only; the CPU has math and flash");
  EXPECT_EQ(Backend("efficient").refusal(plain_site()),
            "LibTorch cannot use its efficient kernel: it exists on CUDA only; the CPU has math and flash");
  EXPECT_THROW(Backend("cuddn"), std::runtime_error);
}

TEST(TorchSdpa, SitesThatItCannotServeAreRefusedWithTheReason) {
  const Backend backend("auto");
  fv_attention_site site = plain_site();
  site.require = FV_REQUIRE_LOG_SUM_EXP;
  EXPECT_EQ(backend.refusal(site), "LibTorch's call gives no log-sum-exp");
  site = plain_site();
  site.require = FV_REQUIRE_CAPTURE;
  EXPECT_EQ(backend.refusal(site), "its runs cannot be captured in a CUDA graph");
  site = plain_site();
  site.dtype = {FV_FLOAT, 8, 1};
  EXPECT_EQ(backend.refusal(site), "no attention in float8; float32, float64, float16 or bfloat16");
  site = plain_site();
  site.masks = FV_MASK_CAUSAL;
  site.key_length = 9;
  EXPECT_EQ(backend.refusal(site), "causal attention needs as many queries as keys, not 8 and 9");
  site = plain_site();
  site.masks = FV_MASK_FRAME_CAUSAL;
  EXPECT_EQ(backend.refusal(site), "frame-causal attention needs a grid that holds all queries and all keys");
  fv_attention_plan* plan = nullptr;
  fv_attention_plan_info info{};
  TextBuffer text;
  EXPECT_EQ(backend.table().plan(backend.get(), &site, &plan, &info, text.get()), FV_REFUSED);
  EXPECT_EQ(text.str(), "frame-causal attention needs a grid that holds all queries and all keys");
}

TEST(TorchSdpa, AsksForRasterOrderOnlyWherePositionsMatter) {
  std::mt19937 random(5);
  const Backend backend("auto");
  EXPECT_EQ(run(backend, random_problem(random, {at::kFloat, 0})).order, nullptr);
  EXPECT_NE(run(backend, random_problem(random, {at::kFloat, FV_MASK_FRAME_CAUSAL})).order, nullptr);
}

TEST(TorchSdpa, ErrorsOfLibTorchComeAsOneText) {
  std::mt19937 random(6);
  const Backend backend("auto");
  Problem p = random_problem(random, {at::kFloat, FV_MASK_BIAS});
  p.mask = at::zeros({1, 1, 7, 333});  // fits nothing
  try {
    run(backend, p);
    FAIL() << "ran";
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("333"), std::string::npos) << text;
    EXPECT_EQ(text.find("frame #"), std::string::npos) << "a backtrace";
  }
}

TEST(TorchSdpa, OffersAMatrixProduct) {
  const auto* product = matrix_product();
  const at::Tensor a = at::randn({5, 300}), b = at::randn({300, 7}), c = at::full({5, 7}, NAN);
  const LentTensor left(a), right(b), out(c);
  TextBuffer text;
  ASSERT_EQ(product->multiply(left.get(), right.get(), out.get(), nullptr, text.get()), FV_OK) << text.str();
  EXPECT_LT(relative_error(c, a.to(at::kDouble).matmul(b.to(at::kDouble))), 300 * 0x1p-24);
  ASSERT_EQ(product->multiply(right.get(), left.get(), out.get(), nullptr, text.get()), FV_FAILED);
  EXPECT_NE(text.str().find("300"), std::string::npos) << text.str();
}

// Forcing uses switches of the process: a forced and a free backend on two threads must not disturb each other.
TEST(TorchSdpa, ForcedAndFreeBackendsRunSideBySide) {
  const auto work = [](const char* kernel, const char* expected) {
    std::mt19937 random(7);
    const Backend backend(kernel);
    for (int i = 0; i < 60; ++i) {
      const Result result = run(backend, random_problem(random, {}));
      ASSERT_EQ(result.ran, expected);
    }
  };
  std::thread forced(work, "math", "math");
  std::thread free(work, "auto", "flash");
  forced.join();
  free.join();
  EXPECT_TRUE(at::globalContext().userEnabledFlashSDP());
}

}  // namespace
}  // namespace fastvideo::torch_sdpa_test
