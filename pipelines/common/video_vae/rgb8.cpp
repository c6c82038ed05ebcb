#include "pipelines/common/video_vae/rgb8.hpp"

#include <ATen/ATen.h>

namespace fastvideo {

at::Tensor to_rgb8(const at::Tensor& samples) {
  return samples.to(at::kFloat).mul(0.5).add_(0.5).clamp_(0, 1).mul_(255).round_().to(at::kByte).cpu();
}

}  // namespace fastvideo
