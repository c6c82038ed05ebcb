// A Wan text-to-video folder in diffusers format, opened: every configuration read and checked, every weight file found
// and its header read, no weight touched.
#pragma once

#include <filesystem>
#include <string>

#include "pipelines/common/diffusers_folder/component_weights.hpp"
#include "pipelines/common/schedulers/scheduler_config.hpp"
#include "pipelines/common/text/umt5/umt5_config.hpp"
#include "pipelines/wan/folder/transformer_config.hpp"
#include "pipelines/wan/folder/vae_config.hpp"

namespace fastvideo::wan {

/// model_index.json with scheduler/, text_encoder/, tokenizer/, transformer/ and vae/.
struct WanFolder {
  std::filesystem::path path;
  UMT5Config text_encoder;
  WanTransformerConfig transformer;
  AutoencoderKLWanConfig vae;
  SchedulerConfig scheduler;
  std::filesystem::path tokenizer;  ///< the argument of Tokenizer::open
  bool tokenizer_is_t5 = true;      ///< the tokenizer's class is T5Tokenizer, else the generic class
  ComponentWeights text_encoder_weights;
  ComponentWeights transformer_weights;
  ComponentWeights vae_weights;
};

/// Reads a folder except its weights. Throws Refused, with the reason and what would be possible, for a folder that is
/// not of this kind: image-to-video, two experts, another pipeline, VAE, scheduler or text encoder, a missing file,
/// configurations that do not fit each other.
WanFolder open_wan_folder(const std::filesystem::path& path);

/// Chooses the weights of all components of a variant. Throws Refused, as fastvideo::find_weights.
void find_weights(WanFolder& model, const std::string& variant);

}  // namespace fastvideo::wan
