#include "pipelines/wan/prompt.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "pipelines/common/text/prompts/cut_prompt.hpp"
#include "pipelines/common/text/tokenizer/clean_prompt.hpp"

namespace fastvideo::wan {

bool is_finite(const EncodedPrompts& prompts) {
  for (const at::Tensor& one : {prompts.conditional, prompts.unconditional})
    if (one.defined() && !at::isfinite(one).all().item<bool>()) return false;
  return true;
}

const Tokenizer& PromptEncoder::tokenizer() {
  if (tokenizer_ == nullptr)
    tokenizer_ = std::make_unique<Tokenizer>(
        Tokenizer::open(folder_.tokenizer, folder_.tokenizer_is_t5 ? TokenizerClass::t5 : TokenizerClass::backend));
  return *tokenizer_;
}

std::vector<int64_t> PromptEncoder::ids_of(const std::string& text) {
  return tokenizer().encode(clean_prompt(text), std::numeric_limits<int64_t>::max());
}

void PromptEncoder::check(const Texts& texts, int64_t most_tokens) {
  std::set<std::pair<std::string, int64_t>> checked;
  for (const std::string& text : texts.to_encode(/*encoder_stays=*/false)) {
    const auto& key = *checked.emplace(text, most_tokens).first;
    if (checked_.contains(key)) continue;
    std::vector<int64_t> ids = ids_of(text);
    ids.resize(std::min(ids.size(), static_cast<size_t>(most_tokens)));
    const int64_t largest = *std::max_element(ids.begin(), ids.end());
    if (largest < folder_.text_encoder.vocab_size) continue;
    throw Refused(folder_.tokenizer.string() + ": the prompt \"" + beginning_of(text) + "\" has a token of id " +
                  std::to_string(largest) + ", and " + (folder_.path / "text_encoder" / "config.json").string() +
                  " says vocab_size " + std::to_string(folder_.text_encoder.vocab_size) +
                  ": tokenizer and text encoder are of different models");
  }
  checked_ = std::move(checked);
  stage_.expect(texts, most_tokens);
}

EncodedPrompts PromptEncoder::encode(const Host& run, const Request& request, const Texts& texts,
                                     const Residency& residency, Attention& attention, const Progress& progress) {
  stage_.run(
      texts, residency, folder_.text_encoder_weights, progress,
      [&](Weights& weights) {
        return UMT5Encoder(folder_.text_encoder, weights, {residency.dtype, residency.device});
      },
      [&](const UMT5Encoder& encoder, const std::string& text) {
        return encoder.encode(cut_ids(run, "wan", text, ids_of(text), request.max_sequence_length), attention)
            .to(residency.dtype);
      });
  if (!residency.keeps_text_encoder()) tokenizer_.reset();
  const auto padded = [&](const std::string& text) {
    return stage_.store().padded(text, request.max_sequence_length, residency.device);
  };
  EncodedPrompts prompts{padded(request.prompt), {}};
  if (request.guided()) prompts.unconditional = padded(request.negative_prompt);
  if (texts.later.empty()) stage_.forget_texts();  // no later run needs them
  return prompts;
}

}  // namespace fastvideo::wan
