#include "pipelines/wan/sites.hpp"

#include "pipelines/common/text/umt5/umt5_encoder.hpp"
#include "pipelines/wan/transformer/block.hpp"
#include "pipelines/wan/vae/decoder.hpp"

namespace fastvideo::wan {

std::vector<PlannedSite> plan_sites(const Request& request, const Shape& shape, const UMT5Config& text_encoder,
                                    const WanTransformerConfig& transformer, const AutoencoderKLWanConfig& vae) {
  const int64_t pixels = shape.latent_height * shape.latent_width;
  const auto later = request.offload == Offload::nothing ? 0 : static_cast<int64_t>(request.later_prompts.size());

  PlannedSite text{UMT5Encoder::site(text_encoder), request.device, request.dtype, request.max_sequence_length,
                   request.max_sequence_length};
  text.runs = text.site.layers * (request.branches() + later);

  PlannedSite self{self_attention_site(transformer), request.device, request.dtype, shape.tokens(), shape.tokens()};
  self.grid = {shape.grid_t, shape.grid_h, shape.grid_w};
  self.steps = request.num_inference_steps;
  self.runs = self.site.layers * request.num_inference_steps * request.branches();

  PlannedSite cross = self;
  cross.site = cross_attention_site(transformer);
  cross.key_length = request.max_sequence_length;

  PlannedSite mid{AutoencoderKLWanDecoder::site(vae), request.device, request.vae_dtype, pixels, pixels};
  mid.runs = shape.latent_frames;
  return {text, self, cross, mid};
}

}  // namespace fastvideo::wan
