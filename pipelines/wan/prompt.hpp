// From a prompt to what the transformer reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <fastvideo/pipeline.hpp>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/model_folder/model_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// Text embeddings of the branches, [1, max_sequence_length, d_model] each in the request's dtype on its device. Rows
/// beyond a text's tokens are zero, and attended to: so the models were trained.
struct EncodedPrompts {
  at::Tensor conditional;    ///< of the prompt
  at::Tensor unconditional;  ///< of the negative prompt; undefined without guidance
};

/// Loads the text encoder, encodes, and lets it go again. Throws Refused for a prompt that is not UTF-8.
EncodedPrompts encode_prompts(const ModelFolder& folder, const Request& request, Attention& attention,
                              const Progress& progress);

}  // namespace fastvideo::wan
