// A small decoder of latents: a causal convolution, then patches of pixels.
#pragma once

#include <ATen/ATen.h>

#include <fastvideo/pipeline.hpp>
#include <fastvideo/torch.hpp>

#include "pipelines/common/layers/linear.hpp"
#include "pipelines/common/video_vae/convolution.hpp"
#include "pipelines/common/video_vae/frame_history.hpp"
#include "pipelines/common/video_vae/rgb8.hpp"

namespace fastvideo::two_stream {

class Vae {
 public:
  static constexpr int64_t kTime = 2, kSide = 4, kHidden = 16;  ///< frames and pixels a side of a latent

  Vae(int64_t channels, Weights& weights, Placement in)
      : in_(weights.take("in.weight", {kHidden, channels, 3, 3, 3}, in.dtype, in.device),
            weights.take("in.bias", {kHidden}, in.dtype, in.device), {1, 1}),
        out_(take_linear(weights, "out", kHidden, kTime * kSide * kSide * 3, in)),
        options_(at::TensorOptions().dtype(in.dtype).device(in.device)) {
    weights.finish();
  }

  void decode(const at::Tensor& latents, const PipelineSink& sink, const Progress& progress) {
    history_.clear();
    for (int64_t t = 0; t < latents.size(2); ++t) {
      const at::Tensor latent = latents[0].select(1, t).permute({1, 2, 0}).to(options_);  // [h, w, channels]
      const int64_t h = latent.size(0), w = latent.size(1);
      const at::Tensor seen = history_.extend(1, latent.sizes(), options_);
      history_.fresh(seen).copy_(latent);
      history_.keep(seen);
      const at::Tensor pixels = out_(at::silu(in_.run(seen))).view({h, w, kTime, kSide, kSide, 3});
      const at::Tensor frames = pixels.permute({2, 0, 3, 1, 4, 5}).reshape({kTime, h * kSide, w * kSide, 3});
      sink.frames(*LentTensor(to_rgb8(t == 0 ? frames.slice(0, kTime - 1) : frames)).get());
      progress.step(t + 1);
    }
  }

 private:
  Convolution in_;
  Linear out_;
  at::TensorOptions options_;
  FrameHistory history_{2};
};

}  // namespace fastvideo::two_stream
