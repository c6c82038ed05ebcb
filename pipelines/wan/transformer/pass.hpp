// A forward pass of the transformer, as the denoising loop and caching strategies see it.
#pragma once

#include <utility>

#include "pipelines/common/diffusion/model_pass.hpp"
#include "pipelines/wan/transformer/transformer.hpp"

namespace fastvideo::wan {

/// Borrows the transformer, and the text and tokens that the inputs borrow.
class WanPass final : public ModelPass {
 public:
  WanPass(const WanTransformer& transformer, const TransformerInputs& inputs)
      : transformer_(transformer), inputs_(inputs) {}

  const at::Tensor& latents() const override { return inputs_.latents; }
  int64_t blocks() const override { return transformer_.blocks(); }
  void embed(SignalObserver* observer) override { pass_ = transformer_.embed(inputs_, observer); }
  void run_blocks(int64_t first, int64_t last, Attention& attention, SignalObserver* observer) override {
    transformer_.run_blocks(pass_, first, last, attention, observer);
  }
  at::Tensor head(SignalObserver* observer) override { return transformer_.head(pass_, observer); }
  at::Tensor modulated_input(int64_t block) const override { return transformer_.modulated_input(pass_, block); }
  Streams streams() const override { return {pass_.hidden}; }
  void replace(Streams streams) override { pass_.hidden = std::move(streams.front()); }

 private:
  const WanTransformer& transformer_;
  TransformerInputs inputs_;
  TransformerPass pass_{};
};

}  // namespace fastvideo::wan
