// The weights of a folder's components: which files hold them, and how large they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fastvideo {

/// The weights of one component, known from the headers of its safetensors files alone.
struct ComponentWeights {
  std::filesystem::path folder;              ///< the argument of Weights::open
  std::vector<std::filesystem::path> files;  ///< one, or the shards of an index
  std::vector<std::string> left_over;        ///< names of weight files in the folder that are not read
  uint64_t elements = 0;                     ///< of the tensors that a model holds
  uint64_t bytes = 0;                        ///< as stored
  std::string dtype;                         ///< that of most elements, as safetensors spells it: "F32", "BF16"

  /// Bytes when held with so many bytes an element (2 for bfloat16, 4 for float32).
  uint64_t bytes_at(uint64_t element_size) const { return elements * element_size; }
};

/// A component whose weights are to be found.
struct WantedWeights {
  const char* component;      ///< its folder: "text_encoder"
  const char* stem;           ///< "diffusion_pytorch_model" (diffusers) or "model" (transformers)
  ComponentWeights& weights;  ///< receives them
  /// Beginnings of the names of tensors that are passed over: the encoder of a VAE that only decodes.
  std::vector<std::string_view> skipped = {};
};

/// Chooses the weights of components, as diffusers does: of a variant ("fp16") where a component has it, without one
/// where it has not. Throws Refused: a component without weights, or no component of that variant.
void find_weights(const std::filesystem::path& folder, std::span<const WantedWeights> components,
                  const std::string& variant);

/// Finds the weights of one component folder and reads their headers; skipped: as in WantedWeights. Throws Refused if
/// there are none, or only pickled ones.
ComponentWeights find_component_weights(const std::filesystem::path& folder, const std::string& stem,
                                        const std::string& variant = "",
                                        std::span<const std::string_view> skipped = {});

}  // namespace fastvideo
