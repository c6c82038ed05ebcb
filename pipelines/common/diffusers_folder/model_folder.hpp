// A model folder in diffusers format, opened: every configuration read and checked, every weight file found and its
// header read, no weight touched.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/common/diffusers_folder/configs.hpp"

namespace fastvideo {

/// The weights of one component, known from the headers of its safetensors files alone.
struct ComponentWeights {
  std::filesystem::path folder;              ///< what Weights::open takes
  std::vector<std::filesystem::path> files;  ///< one, or the shards of an index
  std::vector<std::string> left_over;        ///< names of weight files beside them that are not read
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
  bool tokenizer_is_t5 = true;      ///< its class: T5Tokenizer, or else the generic one
  ComponentWeights text_encoder_weights;
  ComponentWeights transformer_weights;
  ComponentWeights vae_weights;
};

/// Reads a folder, all but its weights. Throws Refused, with the reason and what would be possible, for a folder that
/// is not of this kind: image-to-video, two experts, another pipeline, VAE, scheduler or text encoder, a missing file,
/// configurations that do not fit each other.
ModelFolder open_model_folder(const std::filesystem::path& path);

/// Chooses the weights of all components, as diffusers does: of a variant ("fp16") where a component has it, without
/// one where it has not. Throws Refused: a component without weights, or no component of that variant.
void find_weights(ModelFolder& model, const std::string& variant);

/// Finds the weights of one component folder and reads their headers. stem is "diffusion_pytorch_model" (diffusers) or
/// "model" (transformers). Throws Refused if there are none, or only pickled ones.
ComponentWeights find_component_weights(const std::filesystem::path& folder, const std::string& stem,
                                        const std::string& variant = "");

}  // namespace fastvideo
