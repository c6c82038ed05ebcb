#include "pipelines/wan/memory.hpp"

#include <c10/core/ScalarType.h>

#include "pipelines/wan/vae/memory.hpp"

namespace fastvideo::wan {
namespace {

uint64_t size_of(at::ScalarType dtype) { return c10::elementSize(dtype); }

// Rows of activations that live at once while one block runs, in units of a row of tokens.
struct Live {
  uint64_t rows;   // in the run's dtype
  uint64_t exact;  // in float32: norms and residual sums
};

uint64_t activations(int64_t tokens, int64_t width, Live live, uint64_t element) {
  return static_cast<uint64_t>(tokens) * static_cast<uint64_t>(width) * (live.rows * element + live.exact * 4);
}

}  // namespace

std::vector<Bytes> component_bytes(const WanFolder& folder, const Residency& residency) {
  return {{"text_encoder", folder.text_encoder_weights.bytes_at(size_of(residency.dtype))},
          {"transformer", folder.transformer_weights.bytes_at(size_of(residency.dtype))},
          {"vae", folder.vae_weights.bytes_at(decoder_element_size(residency.vae_dtype, residency.device))}};
}

std::vector<Bytes> stage_peaks(const WanFolder& folder, const Request& request, const Residency& residency,
                               const LatentShape& shape, bool more_follow) {
  const std::vector<Bytes> weights = component_bytes(folder, residency);
  const uint64_t element = size_of(residency.dtype);
  const UMT5Config& text = folder.text_encoder;
  const WanTransformerConfig& dit = folder.transformer;

  // One layer: x, its norm, q, k, v, the attention's output; gate, up and their product; scores and bias.
  const int64_t length = request.max_sequence_length;
  const uint64_t encode = activations(length, text.d_model, {6, 2}, element) +
                          activations(length, text.d_ff, {3, 0}, element) +
                          activations(length, length * text.num_heads, {0, 2}, element);

  // One block: x, its norm, q, k, v, attention's output and projection; both sides of the GELU; and the keys and values
  // of the text, which all blocks keep.
  const uint64_t denoise = activations(shape.tokens(), dit.inner_dim(), {7, 2}, element) +
                           activations(shape.tokens(), dit.ffn_dim, {2, 0}, element) +
                           activations(length * request.branches(), dit.inner_dim() * dit.num_layers, {2, 0}, element);

  const uint64_t decode =
      decode_peak_bytes(folder.vae, shape.latent_height, shape.latent_width, residency.vae_dtype, residency.device);
  return fastvideo::stage_peaks(residency, {weights[0].bytes, encode}, {weights[1].bytes, denoise},
                                {weights[2].bytes, decode}, more_follow);
}

}  // namespace fastvideo::wan
