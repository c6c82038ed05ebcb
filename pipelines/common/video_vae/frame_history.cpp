#include "pipelines/common/video_vae/frame_history.hpp"

#include <ATen/ATen.h>

#include <vector>

namespace fastvideo {

at::Tensor FrameHistory::extend(int64_t count, at::IntArrayRef frame_shape, const at::TensorOptions& options) const {
  std::vector<int64_t> shape = {frames_ + count};
  shape.insert(shape.end(), frame_shape.begin(), frame_shape.end());
  at::Tensor buffer = at::empty(shape, options);
  at::Tensor past = buffer.narrow(0, 0, frames_);
  if (kept_.defined())
    past.copy_(kept_);
  else
    past.zero_();
  return buffer;
}

void FrameHistory::keep(const at::Tensor& buffer) {
  const at::Tensor last = buffer.narrow(0, buffer.size(0) - frames_, frames_);
  if (kept_.defined())
    kept_.copy_(last);
  else
    kept_ = last.clone();
}

}  // namespace fastvideo
