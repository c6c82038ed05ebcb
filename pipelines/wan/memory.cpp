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

std::vector<Bytes> component_bytes(const WanFolder& folder, const Request& request) {
  return {{"text_encoder", folder.text_encoder_weights.bytes_at(size_of(request.dtype))},
          {"transformer", folder.transformer_weights.bytes_at(size_of(request.dtype))},
          {"vae", folder.vae_weights.bytes_at(decoder_element_size(request.vae_dtype, request.device))}};
}

std::vector<Bytes> stage_peaks(const WanFolder& folder, const Request& request, const Shape& shape) {
  const std::vector<Bytes> weights = component_bytes(folder, request);
  const uint64_t element = size_of(request.dtype);
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
      decode_peak_bytes(folder.vae, shape.latent_height, shape.latent_width, request.vae_dtype, request.device);
  const uint64_t encoder = weights[0].bytes, transformer = weights[1].bytes, vae = weights[2].bytes;
  // What other stages, of this run or the one before, have left behind.
  const bool follows = !request.later_prompts.empty();
  const uint64_t kept_encoder = request.offload == Offload::nothing ? encoder : 0;
  const uint64_t kept_transformer = request.offload != Offload::everything ? transformer : 0;
  const uint64_t kept_vae = request.offload != Offload::everything && follows ? vae : 0;
  const uint64_t before_encoding = kept_encoder != 0 && follows ? transformer + vae : 0;
  return {{"encode text", encoder + before_encoding + encode},
          {"denoise", transformer + kept_encoder + kept_vae + denoise},
          {"decode", vae + kept_encoder + kept_transformer + decode}};
}

}  // namespace fastvideo::wan
