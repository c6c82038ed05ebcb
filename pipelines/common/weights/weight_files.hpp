// Which files of a folder hold a model's weights.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/common/weights/safetensors.hpp"

namespace fastvideo {

/// Reads the headers of all weight files of a component folder. For each stem in order ("diffusion_pytorch_model" of
/// diffusers, "model" of transformers), the shards of STEM.safetensors.index.json or STEM.safetensors. Throws Refused
/// if there is none (saying so when there are only pickled ones), if the index and the shards disagree, or if two
/// shards hold a tensor of one name.
std::vector<SafetensorsHeader> read_weight_headers(const std::filesystem::path& folder,
                                                   std::span<const std::string_view> stems);

}  // namespace fastvideo
