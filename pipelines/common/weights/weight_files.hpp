// Which files of a folder hold a model's weights.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/common/weights/safetensors.hpp"

namespace fastvideo {

/// The weight files of one component.
struct WeightFiles {
  std::vector<SafetensorsHeader> headers;  ///< of the files that are read
  std::vector<std::string> left_over;      ///< names of other weight files and indices in the folder
};

/// Chooses the files as the component's library does and reads their headers. Stem "model" (transformers):
/// model.safetensors, or else the shards of model.safetensors.index.json. Stem "diffusion_pytorch_model" (diffusers):
/// the shards of the index, or else the file. With a variant ("fp16"): model.fp16.safetensors,
/// model.safetensors.index.fp16.json. Throws Refused with the remedy: no weight files (with the files found instead), a
/// link that leads nowhere, an index that does not match its shards, two shards with a tensor of one name.
WeightFiles find_weight_files(const std::filesystem::path& folder, std::string_view stem,
                              const std::string& variant = "");

/// Whether the folder has a weight file of that variant.
bool has_variant(const std::filesystem::path& folder, std::string_view stem, const std::string& variant);

/// The headers of find_weight_files for the first of the stems that has a file.
std::vector<SafetensorsHeader> read_weight_headers(const std::filesystem::path& folder,
                                                   std::span<const std::string_view> stems);

}  // namespace fastvideo
