#include "pipelines/wan/sites.hpp"

#include "pipelines/common/text/umt5/umt5_encoder.hpp"
#include "pipelines/wan/transformer/block.hpp"
#include "pipelines/wan/vae/decoder.hpp"

namespace fastvideo::wan {

std::vector<PlannedSite> plan_sites(const Request& request, int64_t texts, const Residency& residency,
                                    const LatentShape& shape, const WanFolder& folder) {
  const int64_t pixels = shape.latent_height * shape.latent_width;

  PlannedSite text{UMT5Encoder::site(folder.text_encoder), residency.device, residency.dtype,
                   request.max_sequence_length, request.max_sequence_length};
  text.runs = text.site.layers * texts;

  PlannedSite self{self_attention_site(folder.transformer), residency.device, residency.dtype, shape.tokens(),
                   shape.tokens()};
  self.grid = {shape.grid_t, shape.grid_h, shape.grid_w};
  self.steps = request.num_inference_steps;
  self.runs = self.site.layers * request.num_inference_steps * request.branches();

  PlannedSite cross = self;
  cross.site = cross_attention_site(folder.transformer);
  cross.key_length = request.max_sequence_length;

  PlannedSite mid{AutoencoderKLWanDecoder::site(folder.vae), residency.device, residency.vae_dtype, pixels, pixels};
  mid.runs = shape.latent_frames;
  return {text, self, cross, mid};
}

}  // namespace fastvideo::wan
