#include "pipelines/wan/sites.hpp"

#include <cmath>
#include <fastvideo/torch.hpp>

namespace fastvideo::wan {
namespace {

fv_attention_site site(const char* role, at::Device device, at::ScalarType dtype, int64_t heads, int64_t head_size,
                       int64_t layers) {
  fv_attention_site s{};
  s.struct_size = sizeof(s);
  s.role = role;
  s.device = from_device(device);
  s.dtype = to_dtype(dtype);
  s.head_size = static_cast<int32_t>(head_size);
  s.query_heads = s.kv_heads = s.total_heads = static_cast<int32_t>(heads);
  s.layers = static_cast<int32_t>(layers);
  s.batch = 1;
  s.scale = 1.0 / std::sqrt(static_cast<double>(head_size));
  return s;
}

}  // namespace

std::vector<PlannedSite> plan_sites(const Request& request, const Shape& shape, const UMT5Config& text_encoder,
                                    const WanTransformerConfig& transformer, const AutoencoderKLWanConfig& vae) {
  const int64_t passes = request.num_inference_steps * request.branches();

  // T5 does not scale its scores: its initialisation accounts for the head size (Raffel et al. 2020, section 2.1).
  fv_attention_site text = site(FV_ROLE_TEXT_SELF, request.device, request.dtype, text_encoder.num_heads,
                                text_encoder.d_kv, text_encoder.num_layers);
  text.masks = FV_MASK_BIAS;
  text.scale = 1.0;
  text.query_length = text.key_length = request.max_sequence_length;

  fv_attention_site self = site(FV_ROLE_DIT_SELF, request.device, request.dtype, transformer.num_attention_heads,
                                transformer.attention_head_dim, transformer.num_layers);
  self.query_length = self.key_length = shape.tokens();
  self.grid[0] = shape.grid_t;
  self.grid[1] = shape.grid_h;
  self.grid[2] = shape.grid_w;
  self.steps = static_cast<int32_t>(request.num_inference_steps);

  fv_attention_site cross = self;
  cross.role = FV_ROLE_DIT_CROSS;
  cross.key_length = request.max_sequence_length;

  fv_attention_site mid =
      site(FV_ROLE_VAE_MID, request.device, request.vae_dtype, 1, vae.decoder_channels().front(), 1);
  mid.query_length = mid.key_length = shape.latent_height * shape.latent_width;

  const auto later = request.offload == Offload::nothing ? 0 : static_cast<int64_t>(request.later_prompts.size());
  return {{text, text_encoder.num_layers * (request.branches() + later)},
          {self, transformer.num_layers * passes},
          {cross, transformer.num_layers * passes},
          {mid, shape.latent_frames}};
}

}  // namespace fastvideo::wan
