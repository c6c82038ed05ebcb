// Previews beside the final video, on the embedded model.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fastvideo/torch.hpp>
#include <vector>

#include "pipelines/common/testing/declared_sites.hpp"
#include "pipelines/wan/test_run.hpp"
#include "pipelines/wan/wan_pipeline.hpp"

namespace fastvideo::wan {
namespace {

constexpr int64_t kStride = 8, kSteps = 12;

// Keeps previews and frames as float32 [T, h, w, 3].
struct Pictures {
  explicit Pictures(int32_t preview_every) {
    abi.struct_size = sizeof abi;
    abi.context = this;
    abi.preview_every = preview_every;
    abi.accept = [](void* context, const fv_pipeline_output* output, fv_text*) -> fv_status {
      auto& self = *static_cast<Pictures*>(context);
      if (output->kind == FV_OUTPUT_PREVIEW) self.previews.push_back(borrow(*output->tensor).to(at::kFloat));
      if (output->kind == FV_OUTPUT_FRAMES) self.frames.push_back(borrow(*output->tensor).to(at::kFloat));
      return FV_OK;
    };
  }
  at::Tensor video() const { return at::cat(frames); }

  std::vector<at::Tensor> previews, frames;
  fv_pipeline_sink abi{};
};

Pictures made(int32_t preview_every) {
  testing::Parameters parameters = small_video(5.0);
  parameters.set("prompt", "a red circle moves right over a blue background").set("negative_prompt", "");
  parameters.set("height", 64).set("width", 96).set("num_inference_steps", kSteps);
  Pictures pictures(preview_every);
  testing::AttentionServiceForTests service;
  WanPipeline pipeline(service.host(), FASTVIDEO_SOURCE_DIR "/models/shapes");
  pipeline.run(service.host(), parameters.options(), PipelineSink(pictures.abi));
  return pictures;
}

// One preview pixel per latent: 8 x 8 pixels of one frame, then of four.
at::Tensor pooled(const at::Tensor& video) {
  const at::Tensor small = at::avg_pool2d(video.permute({0, 3, 1, 2}), {kStride, kStride}).permute({0, 2, 3, 1});
  return at::cat({small.narrow(0, 0, 1), small.narrow(0, 1, small.size(0) - 1).unflatten(0, {-1, 4}).mean(1)});
}

double correlation(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a - a.mean(), y = b - b.mean();
  return ((x * y).sum() / (x.norm() * y.norm())).item<double>();
}

TEST(WanPreview, ShowsTheVideoThatIsToCome) {
  const Pictures with = made(3);
  ASSERT_EQ(with.previews.size(), static_cast<size_t>(kSteps / 3));
  const at::Tensor truth = pooled(with.video());
  std::vector<double> likeness;
  for (const at::Tensor& preview : with.previews) {
    ASSERT_EQ(preview.sizes(), truth.sizes());
    likeness.push_back(correlation(preview, truth));
  }
  // 0.98 and 11 of 255 are the best that an affine map reaches on this video, fitted to it.
  EXPECT_GT(likeness.back(), 0.85);
  EXPECT_LT((with.previews.back() - truth).abs().mean().item<double>(), 40.0) << "of 255";
  // The estimate shows the picture while the latents are noise still.
  EXPECT_GT(likeness.front(), 0.75);
}

TEST(WanPreview, ChangesNothingOfTheVideo) {
  const Pictures with = made(5), without = made(0);
  EXPECT_EQ(with.previews.size(), 2U);
  EXPECT_TRUE(without.previews.empty());
  EXPECT_TRUE(at::equal(with.video(), without.video()));
}

}  // namespace
}  // namespace fastvideo::wan
