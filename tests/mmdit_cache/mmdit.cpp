#include "tests/mmdit_cache/mmdit.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <array>
#include <cmath>

namespace fastvideo::testing {
namespace {

constexpr int64_t kDim = 32, kHeads = 2;

at::Tensor normed(const at::Tensor& x) { return at::layer_norm(x, {kDim}); }

// Shift, scale and gate of attention, then of the feed-forward part, [B, 1, dim] each.
std::vector<at::Tensor> modulations(const at::Tensor& time, const at::Tensor& weight) {
  return at::matmul(at::silu(time), weight).unsqueeze(1).chunk(6, -1);
}

at::Tensor modulate(const at::Tensor& x, const std::vector<at::Tensor>& m, size_t first) {
  return normed(x) * (m[first + 1] + 1) + m[first];
}

at::Tensor heads(const at::Tensor& x) { return x.unflatten(-1, {kHeads, -1}).transpose(1, 2); }

}  // namespace

Mmdit::Mmdit(uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto weight = [&](int64_t in, int64_t out, double gain = 1.0) {
    return at::randn({in, out}, generator, at::TensorOptions().dtype(at::kFloat)) * gain /
           std::sqrt(static_cast<double>(in));
  };
  image_in_ = weight(kChannels, kDim);
  text_in_ = weight(kTextSize, kDim);
  time_1_ = weight(kDim, kDim);
  time_2_ = weight(kDim, kDim);
  head_ = weight(kDim, kChannels);
  const auto stream = [&] {
    return Stream{weight(kDim, 6 * kDim), weight(kDim, 3 * kDim), weight(kDim, kDim, 2), weight(kDim, 2 * kDim),
                  weight(2 * kDim, kDim, 2)};
  };
  for (int64_t i = 0; i < kBlocks; ++i) {
    Stream image = stream();
    blocks_.push_back({std::move(image), stream()});
  }
}

Mmdit::Pass Mmdit::embed(const at::Tensor& latents, const at::Tensor& text, const at::Tensor& sigma) const {
  const at::Tensor angles = sigma.unsqueeze(1) * at::exp2(at::arange(kDim / 2, at::kFloat) / 4);
  const at::Tensor waves = at::cat({angles.cos(), angles.sin()}, 1);
  return {at::matmul(latents, image_in_), at::matmul(text, text_in_),
          at::matmul(at::silu(at::matmul(waves, time_1_)), time_2_)};
}

void Mmdit::run(Pass& pass, int64_t first, int64_t last) const {
  for (int64_t i = first; i < last; ++i) {
    const Block& block = blocks_.at(static_cast<size_t>(i));
    const std::array<const Stream*, 2> streams = {&block.image, &block.text};
    const std::array<at::Tensor*, 2> hidden = {&pass.image, &pass.text};
    std::array<std::vector<at::Tensor>, 2> m;
    std::vector<at::Tensor> q, k, v;
    for (size_t s = 0; s < 2; ++s) {
      m[s] = modulations(pass.time, streams[s]->modulation);
      const std::vector<at::Tensor> qkv = at::matmul(modulate(*hidden[s], m[s], 0), streams[s]->qkv).chunk(3, -1);
      q.push_back(heads(qkv[0]));
      k.push_back(heads(qkv[1]));
      v.push_back(heads(qkv[2]));
    }
    const at::Tensor together =
        at::scaled_dot_product_attention(at::cat(q, 2), at::cat(k, 2), at::cat(v, 2)).transpose(1, 2).flatten(2);
    const std::vector<at::Tensor> attended = together.split_with_sizes({pass.image.size(1), pass.text.size(1)}, 1);
    for (size_t s = 0; s < 2; ++s) {
      const at::Tensor x = *hidden[s] + m[s][2] * at::matmul(attended[s], streams[s]->out);
      const at::Tensor wide = at::gelu(at::matmul(modulate(x, m[s], 3), streams[s]->up), "tanh");
      *hidden[s] = x + m[s][5] * at::matmul(wide, streams[s]->down);
    }
  }
}

at::Tensor Mmdit::modulated(const Pass& pass, int64_t block) const {
  const Stream& image = blocks_.at(static_cast<size_t>(block)).image;
  return modulate(pass.image, modulations(pass.time, image.modulation), 0);
}

at::Tensor Mmdit::head(const Pass& pass) const {
  const at::Tensor read = normed(pass.image) + normed(pass.text).mean(1, /*keepdim=*/true);
  return at::matmul(read * (1 + pass.time.unsqueeze(1)), head_);
}

}  // namespace fastvideo::testing
