#include "pipelines/wan/prompt.hpp"

#include <ATen/ATen.h>

#include "pipelines/common/tokenizer/clean_prompt.hpp"
#include "pipelines/common/tokenizer/tokenizer.hpp"
#include "pipelines/common/umt5/umt5_encoder.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo::wan {
namespace {

// The rows of one text, followed by zeros.
at::Tensor encode(const std::string& text, const Tokenizer& tokenizer, const UMT5Encoder& encoder,
                  const Request& request, Attention& attention) {
  const std::vector<int64_t> ids = tokenizer.encode(clean_prompt(text), request.max_sequence_length);
  const at::Tensor rows = encoder.encode(ids, attention).to(request.dtype);
  return at::constant_pad_nd(rows, {0, 0, 0, request.max_sequence_length - rows.size(1)});
}

}  // namespace

EncodedPrompts encode_prompts(const ModelFolder& folder, const Request& request, Attention& attention,
                              const Progress& progress) {
  progress.stage("load text encoder");
  const Tokenizer tokenizer = Tokenizer::open(folder.tokenizer);
  Weights weights = Weights::open(folder.text_encoder_weights.folder);
  const UMT5Encoder encoder(folder.text_encoder, weights, {request.dtype, request.device});
  progress.throw_if_cancelled();

  progress.stage("encode text", request.branches());
  EncodedPrompts prompts;
  prompts.conditional = encode(request.prompt, tokenizer, encoder, request, attention);
  progress.step(1);
  if (request.guided()) {
    prompts.unconditional = encode(request.negative_prompt, tokenizer, encoder, request, attention);
    progress.step(2);
  }
  return prompts;
}

}  // namespace fastvideo::wan
