// SAGE_ATTN/sm90's answers about sites. The test runs without a GPU; tests/on_device.py checks the kernels on one.
#include <gtest/gtest.h>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/measured_shapes.hpp"
#include "plugins/attention/common/tests/site.hpp"
#include "plugins/attention/sage_attn/tests/options.hpp"

namespace fastvideo::sage {
namespace {

std::string answer(const TestOptions& options, void (*change)(fv_attention_site&)) {
  const auto entries = options.entries();
  AttentionLibrary library(SAGE_ATTN_SM90_LIBRARY, entries);
  fv_attention_site site = test_site(FV_DEVICE_CUDA, kBFloat16, 32760, 12, 128);
  change(site);
  return (library.supports(site) ? "yes: " : "no: ") + library.message();
}

void as_it_is(fv_attention_site&) {}

TEST(SageAttnSm90, TakesBothHeadSizesAndTypesAndEverySetting) {
  EXPECT_EQ(answer({}, as_it_is), "yes: int8_fp8_thread");
  EXPECT_EQ(answer({.pv = "bf16", .granularity = "block"}, as_it_is), "yes: int8_bf16_block");
  EXPECT_EQ(answer({.smooth_k = false, .layers = "0-1,29", .steps = "0-3"}, as_it_is), "yes: int8_fp8_thread");
  EXPECT_EQ(answer({.smooth_q = true}, as_it_is), "yes: int8_fp8_thread");
  EXPECT_EQ(answer({}, [](auto& s) { s.head_size = 64; }), "yes: int8_fp8_thread");
  EXPECT_EQ(answer({}, [](auto& s) { s.dtype = kFloat16; }), "yes: int8_fp8_thread");
  EXPECT_EQ(answer({}, [](auto& s) { s.role = FV_ROLE_DIT_JOINT; }), "yes: int8_fp8_thread");
  EXPECT_EQ(answer({}, [](auto& s) { s.require = FV_REQUIRE_CAPTURE | FV_REQUIRE_LOG_SUM_EXP; }),
            "yes: int8_fp8_thread");
}

TEST(SageAttnSm90, RefusesWithTheReason) {
  EXPECT_NE(answer({.layers = "30"}, as_it_is).find("no: full_precision_layers names layer 30"), std::string::npos);
  EXPECT_EQ(answer({}, [](auto& s) { s.device.type = FV_DEVICE_CPU; }), "no: runs on a Hopper GPU");
  EXPECT_EQ(answer({}, [](auto& s) { s.head_size = 96; }), "no: head sizes 64 and 128, not 96");
  EXPECT_EQ(answer({}, [](auto& s) { s.dtype = kFloat32; }), "no: bfloat16 and float16, not float32");
  EXPECT_EQ(answer({}, [](auto& s) { s.masks = FV_MASK_CAUSAL; }),
            "no: full attention only: no masks and no key lengths");
  EXPECT_NE(answer({}, [](auto& s) { s.role = FV_ROLE_TEXT_SELF; }).find("not text.self"), std::string::npos);
  EXPECT_NE(answer({}, [](auto& s) { s.batch = 40000; }).find("no: batch 40000"), std::string::npos);
  EXPECT_NE(answer({}, [](auto& s) { s.query_length = int64_t{1} << 31; }).find("no: at most"), std::string::npos);
}

// Within 15 % of the measured times, where SAGE_ATTN gains over FLASH_ATTN and where it does not.
TEST(SageAttnSm90, EstimatesWhatWasMeasured) {
  const TestOptions options;
  const auto entries = options.entries();
  AttentionLibrary library(SAGE_ATTN_SM90_LIBRARY, entries);
  expect_estimates({{1, 12, 1560, 1560, 128, 0.0606},
                    {1, 16, 4096, 4096, 128, 0.2151},
                    {2, 24, 4592, 4592, 128, 0.7575},
                    {2, 12, 8192, 8192, 128, 1.0907},
                    {1, 24, 16384, 16384, 128, 4.014},
                    {1, 12, 32760, 32760, 128, 7.708},
                    {1, 40, 32760, 32760, 128, 25.62},
                    {1, 40, 75600, 75600, 128, 132.8},
                    {1, 12, 32760, 512, 128, 0.2533},
                    {1, 40, 32760, 769, 128, 1.165},
                    {1, 24, 8192, 8192, 64, 0.7729},
                    {1, 48, 16384, 16384, 64, 5.583},
                    {1, 32, 27280, 256, 64, 0.2403}},
                   [&](const fv_attention_site& site) {
                     EXPECT_TRUE(library.supports(site)) << library.message();
                     return library.score();
                   });
}

}  // namespace
}  // namespace fastvideo::sage
