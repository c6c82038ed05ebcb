// A model folder in diffusers format, opened: every configuration read and checked, every weight file found and its
// header read, no weight touched.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/common/model_folder/configs.hpp"

namespace fastvideo {

/// The weights of one component, known from the headers of its safetensors files alone.
struct ComponentWeights {
  std::filesystem::path folder;              ///< what Weights::open takes
  std::vector<std::filesystem::path> files;  ///< one, or the shards of an index
  uint64_t elements = 0;                     ///< of all tensors
  uint64_t bytes = 0;                        ///< as stored
  std::string dtype;                         ///< that of most elements, as safetensors spells it: "F32", "BF16"

  /// Bytes when held with so many bytes an element (2 for bfloat16, 4 for float32).
  uint64_t bytes_at(uint64_t element_size) const { return elements * element_size; }
};

/// A Wan text-to-video folder: model_index.json with scheduler/, text_encoder/, tokenizer/, transformer/ and vae/.
struct ModelFolder {
  std::filesystem::path path;
  UMT5Config text_encoder;
  WanTransformerConfig transformer;
  AutoencoderKLWanConfig vae;
  SchedulerConfig scheduler;
  std::filesystem::path tokenizer;  ///< what Tokenizer::open takes
  ComponentWeights text_encoder_weights;
  ComponentWeights transformer_weights;
  ComponentWeights vae_weights;
};

/// Reads a folder. Throws Refused, with the reason and what would be possible, for a folder that is not of this kind:
/// image-to-video, two experts, another pipeline, VAE, scheduler or text encoder, quantised or pickled weights, a
/// missing file, configurations that do not fit each other.
ModelFolder open_model_folder(const std::filesystem::path& path);

/// Finds the weights of one component folder and reads their headers. stem is "diffusion_pytorch_model" (diffusers) or
/// "model" (transformers). Throws Refused if there are none, or only pickled ones.
ComponentWeights find_component_weights(const std::filesystem::path& folder, const std::string& stem);

}  // namespace fastvideo
