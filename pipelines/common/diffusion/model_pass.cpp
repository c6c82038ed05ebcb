#include "pipelines/common/diffusion/model_pass.hpp"

#include <ATen/ATen.h>

namespace fastvideo {

at::Tensor run_whole(ModelPass& pass, Attention& attention, SignalObserver* observer) {
  pass.embed(observer);
  const at::Tensor input = pass.streams().front();
  pass.run_blocks(0, pass.blocks(), attention, observer);
  publish_difference(observer, "blocks.residual", pass.streams().front(), input);
  return pass.head(observer);
}

}  // namespace fastvideo
