#include "plugins/attention/torch_sdpa/estimate.hpp"

#include "plugins/attention/common/tests/measured_shapes.hpp"

namespace fastvideo::torch_sdpa {
namespace {

// cuDNN beside FLASH_ATTN of commit 2a3de31, in turns of its own.
TEST(TorchSdpaEstimate, OfCudnnIsWhatWasMeasured) {
  expect_estimates({{1, 12, 1560, 1560, 128, 0.0503},
                    {1, 16, 4096, 4096, 128, 0.2330},
                    {2, 24, 4592, 4592, 128, 0.972},
                    {2, 12, 8192, 8192, 128, 1.363},
                    {1, 24, 16384, 16384, 128, 5.451},
                    {1, 40, 75600, 75600, 128, 206.8},
                    {1, 12, 32760, 512, 128, 0.2086},
                    {1, 40, 32760, 769, 128, 1.141},
                    {1, 24, 8192, 8192, 64, 0.914},
                    {1, 48, 16384, 16384, 64, 7.202},
                    {1, 32, 27280, 256, 64, 0.1755}},
                   [](const fv_attention_site& site) { return estimate(site, at::SDPBackend::cudnn_attention); });
}

TEST(TorchSdpaEstimate, IsNoneWhereNothingWasMeasured) {
  fv_attention_site site = wan_site();
  EXPECT_EQ(estimate(site, at::SDPBackend::math), 0);
  site.masks = FV_MASK_BIAS;
  EXPECT_EQ(estimate(site, at::SDPBackend::cudnn_attention), 0);
  site = self_site(FV_DEVICE_CPU, kBFloat16, 300, 4, 64);
  EXPECT_EQ(estimate(site, at::SDPBackend::flash_attention), 0);
}

}  // namespace
}  // namespace fastvideo::torch_sdpa
