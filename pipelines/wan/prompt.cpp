#include "pipelines/wan/prompt.hpp"

#include <ATen/ATen.h>

#include <set>

#include "pipelines/common/tokenizer/clean_prompt.hpp"
#include "pipelines/common/tokenizer/tokenizer.hpp"
#include "pipelines/common/umt5/umt5_encoder.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo::wan {

struct PromptEncoder::TextEncoder {
  TextEncoder(const ModelFolder& folder, const Request& request)
      : tokenizer(
            Tokenizer::open(folder.tokenizer, folder.tokenizer_is_t5 ? TokenizerClass::t5 : TokenizerClass::backend)),
        weights(Weights::open(folder.text_encoder_weights.folder, folder.text_encoder_weights.files)),
        model(folder.text_encoder, weights, {request.dtype, request.device}) {}

  at::Tensor encode(const std::string& text, int64_t max_length, Attention& attention) const {
    return model.encode(tokenizer.encode(clean_prompt(text), max_length), attention);
  }

  Tokenizer tokenizer;
  Weights weights;
  UMT5Encoder model;
};

PromptEncoder::PromptEncoder(const ModelFolder& folder) : folder_(folder) {}
PromptEncoder::~PromptEncoder() = default;

EncodedPrompts PromptEncoder::encode(const Request& request, Attention& attention, const Progress& progress) {
  std::vector<std::string> wanted{request.prompt};
  if (request.guided()) wanted.push_back(request.negative_prompt);
  if (request.offload != Offload::nothing)
    wanted.insert(wanted.end(), request.later_prompts.begin(), request.later_prompts.end());
  std::set<std::string> texts;
  for (const std::string& text : wanted)
    if (rows_.count(text) == 0) texts.insert(text);

  if (!texts.empty()) {
    if (encoder_ == nullptr) {
      progress.stage("load text encoder");
      encoder_ = std::make_unique<TextEncoder>(folder_, request);
    }
    progress.throw_if_cancelled();
    progress.stage("encode text", static_cast<int64_t>(texts.size()));
    int64_t done = 0;
    for (const std::string& text : texts) {
      rows_[text] = encoder_->encode(text, request.max_sequence_length, attention).to(request.dtype).cpu();
      progress.step(++done);
    }
  }
  if (request.offload != Offload::nothing) encoder_.reset();
  EncodedPrompts prompts{padded(request.prompt, request), {}};
  if (request.guided()) prompts.unconditional = padded(request.negative_prompt, request);
  if (request.later_prompts.empty()) rows_.clear();
  return prompts;
}

// The rows of one text, followed by zeros.
at::Tensor PromptEncoder::padded(const std::string& text, const Request& request) const {
  const at::Tensor rows = rows_.at(text).to(request.device);
  return at::constant_pad_nd(rows, {0, 0, 0, request.max_sequence_length - rows.size(1)});
}

}  // namespace fastvideo::wan
