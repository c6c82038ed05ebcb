#include "pipelines/wan/preview.hpp"

#include <ATen/ATen.h>

namespace fastvideo::wan {
namespace {

constexpr int64_t kSide = 8;  // latents; those at the border see the padding of convolutions

}  // namespace

at::Tensor SmallAttention::run(const AttentionCall& call) {
  const auto heads_first = [](const at::Tensor& x) { return x.transpose(1, 2); };
  return at::scaled_dot_product_attention(heads_first(call.q), heads_first(call.k), heads_first(call.v), {}, 0, false,
                                          call.site.scale)
      .transpose(1, 2)
      .contiguous();
}

LatentColours colours_of(AutoencoderKLWanDecoder& decoder, int64_t z_dim, const DecodeProgress& progress) {
  return linearised(
      [&](const at::Tensor& latent) {
        at::Tensor colour;
        decoder.decode_samples(
            latent.view({1, z_dim, 1, 1, 1}).expand({1, z_dim, 1, kSide, kSide}),
            [&](const at::Tensor& frames) {  // [1, H, W, 3]
              const int64_t quarter = frames.size(1) / 4;
              colour = frames.slice(1, quarter, -quarter)
                           .slice(2, quarter, -quarter)
                           .to(at::kFloat)
                           .mean(at::IntArrayRef{0, 1, 2})
                           .cpu();
            },
            progress);
        return colour;
      },
      z_dim);
}

}  // namespace fastvideo::wan
