#include "pipelines/wan/memory.hpp"

#include <c10/core/ScalarType.h>

#include <algorithm>

#include "pipelines/common/kernels/kernels.hpp"
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

uint64_t latent_elements(const WanTransformerConfig& dit, const LatentShape& shape) {
  return static_cast<uint64_t>(dit.in_channels * shape.latent_frames) *
         static_cast<uint64_t>(shape.latent_height * shape.latent_width);
}

// Copies of the latents in float32: sample, predictions and the solver's tensors of earlier steps; after the loop the
// copies that the solver still holds, with the result.
constexpr uint64_t kLoopLatents = 10, kLatentsAfterwards = 6;

// Allowance for tensors too small to be counted one by one; in the decoder also for oneDNN's padding of weights whose
// channels are no multiple of its vectors.
constexpr uint64_t kSmallOfLoop = 64 << 10, kSmallOfDecoder = 256 << 10;

// Workspaces that cuBLAS and cuDNN take from LibTorch's allocator, on an H200.
constexpr uint64_t kWorkspacesOfLoop = 160 << 20, kWorkspacesOfDecoder = 48 << 20;

// The activations of one block, with the tensors that all blocks share: keys and values of the text, modulations (the
// tables stand beside those of the blocks), the rotary table.
uint64_t block_bytes(const WanTransformerConfig& dit, const Request& request, const Residency& residency,
                     const LatentShape& shape) {
  const uint64_t element = size_of(residency.dtype);
  const int64_t tokens = shape.tokens(), dim = dit.inner_dim();
  const uint64_t of_all =
      activations(request.max_sequence_length * request.branches(), dim * dit.num_layers, {2, 0}, element) +
      activations(2 * dit.num_layers + 2, 6 * dim, {0, 1}, element) +
      activations(tokens, dit.attention_head_dim, {0, 1}, element);
  if (residency.device.is_cpu() && residency.dtype == at::kFloat) {
    // x and its modulated norm; then q, k, v and the attention's output; or sum, norm, the GELU's input and its output,
    // which is made in place, and the projection.
    const uint64_t attend = activations(tokens, dim, {6, 0}, element);
    const uint64_t feed_forward =
        activations(tokens, dim, {5, 0}, element) + activations(tokens, dit.ffn_dim, {1, 0}, element);
    return of_all + std::max(attend, feed_forward);
  }
  if (residency.device.is_cuda()) {
    // x and its modulated norm stay; q, k, v, the attention's output and projection, and the float32 tensors of
    // LibTorch's norms where they replace the kernels; or sum, norm, the GELU's side and the projection.
    const uint64_t attend = activations(tokens, dim, {7, kernels::built() ? 0U : 2U}, element);
    const uint64_t feed_forward =
        activations(tokens, dim, {6, 0}, element) + activations(tokens, dit.ffn_dim, {1, 0}, element);
    return of_all + std::max(attend, feed_forward) + kWorkspacesOfLoop;
  }
  // x, its norm, q, k, v, attention's output and projection; both sides of the GELU.
  return of_all + activations(tokens, dim, {7, 2}, element) + activations(tokens, dit.ffn_dim, {2, 0}, element);
}

}  // namespace

std::vector<Bytes> component_bytes(const WanFolder& folder, const Residency& residency) {
  const uint64_t element = size_of(residency.dtype);
  const UMT5Config& text = folder.text_encoder;
  // A device has no copy of the token table: rows are looked up on the CPU.
  const uint64_t table = residency.device.is_cpu() ? 0 : activations(text.vocab_size, text.d_model, {1, 0}, element);
  return {{"text_encoder", folder.text_encoder_weights.bytes_at(element) -
                               std::min(table, folder.text_encoder_weights.bytes_at(element))},
          {"transformer", folder.transformer_weights.bytes_at(element)},
          {"vae", folder.vae_weights.bytes_at(decoder_element_size(residency.vae_dtype, residency.device))}};
}

std::vector<Bytes> stage_peaks(const WanFolder& folder, const Request& request, const Residency& residency,
                               const LatentShape& shape, const Texts& texts) {
  const std::vector<Bytes> weights = component_bytes(folder, residency);
  const uint64_t element = size_of(residency.dtype);
  const UMT5Config& text = folder.text_encoder;
  const WanTransformerConfig& dit = folder.transformer;
  const bool more_follow = !texts.later.empty();

  // One layer: x, its norm, q, k, v, the attention's output; gate, up and their product; scores and bias.
  const int64_t length = request.max_sequence_length;
  const uint64_t encode = activations(length, text.d_model, {6, 2}, element) +
                          activations(length, text.d_ff, {3, 0}, element) +
                          activations(length, length * text.num_heads, {0, 2}, element);

  // Embeddings: the padded embeddings of the branches until the end of the run; on the CPU, whether it is the run's
  // device or not, the embeddings of all texts until the last text is encoded.
  const auto embedded = [&](int64_t count) { return activations(length * count, text.d_model, {1, 0}, element); };
  const int64_t encoded = std::ssize(texts.to_encode(residency.keeps_text_encoder()));
  const uint64_t stored = residency.device.is_cpu() ? embedded(encoded) : 0;
  const uint64_t prompts = embedded(request.branches()) + (more_follow ? stored : 0);

  const uint64_t latents = latent_elements(dit, shape) * sizeof(float);
  const uint64_t decode =
      decode_peak_bytes(folder.vae, shape.latent_height, shape.latent_width, residency.vae_dtype, residency.device);
  return fastvideo::stage_peaks(
      residency, {weights[0].bytes, encode + stored},
      {weights[1].bytes, block_bytes(dit, request, residency, shape) + kLoopLatents * latents + prompts + kSmallOfLoop},
      {weights[2].bytes + (residency.device.is_cuda() ? kWorkspacesOfDecoder : kSmallOfDecoder),
       decode + kLatentsAfterwards * latents + prompts},
      more_follow);
}

LoopBytes loop_bytes(const WanTransformerConfig& dit, const Residency& residency, const LatentShape& shape) {
  const uint64_t element = size_of(residency.dtype), latents = latent_elements(dit, shape);
  const uint64_t video = activations(shape.tokens(), dit.inner_dim(), {1, 0}, element);
  const auto dim = static_cast<uint64_t>(dit.inner_dim());
  return {.latents = latents * sizeof(float),
          .output = latents * element,
          .time_embed = dim * sizeof(float),
          .time_proj = 6 * dim * sizeof(float),
          .video = video,
          .streams = video};
}

}  // namespace fastvideo::wan
