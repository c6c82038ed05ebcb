// The models of a folder: what is loaded, and how long it stays.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "pipelines/wan/prompt.hpp"
#include "pipelines/wan/request.hpp"
#include "pipelines/wan/transformer/transformer.hpp"
#include "pipelines/wan/vae/decoder.hpp"

namespace fastvideo::wan {

/// Loads components when they are asked for and keeps them as request.offload says, over several runs. A request of
/// another dtype or device drops what was loaded. One thread at a time.
class Components {
 public:
  /// The folder is borrowed.
  explicit Components(const WanFolder& folder);
  ~Components();

  /// To be called at the beginning of a run, before the others.
  void begin(const Request& request);

  /// Whether all can be loaded, and the request's texts read, by the files' headers and the tokenizer alone. Throws
  /// Refused naming file and tensor, or file and token.
  void check(const Request& request);

  /// Drops all that was loaded: the folder's weights are others now.
  void forget();

  /// Text encoder and prompts; the encoder is released when it has read them.
  EncodedPrompts encode(const Host& run, const Request& request, Attention& attention, const Progress& progress);
  /// Prompts are encoded anew from here on.
  void forget_prompts();
  /// Loaded until release_transformer.
  const WanTransformer& transformer(const Request& request, const Progress& progress);
  void release_transformer(const Request& request);
  /// Loaded until release_decoder; calls `attention`, which must live as long.
  AutoencoderKLWanDecoder& decoder(const Request& request, Attention& attention, const Progress& progress);
  void release_decoder(const Request& request);

 private:
  struct Key {
    at::Device device;
    at::ScalarType dtype, vae_dtype;
    int64_t max_sequence_length;
    bool operator==(const Key&) const = default;
  };
  struct Transformer;
  struct Decoder;

  const WanFolder& folder_;
  std::optional<Key> key_;
  bool is_outlined_ = false;  // the weights were found to fit
  std::unique_ptr<PromptEncoder> prompts_;
  std::unique_ptr<Transformer> transformer_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace fastvideo::wan
