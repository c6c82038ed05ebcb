#include "pipelines/wan/prompt.hpp"

#include <ATen/ATen.h>

#include <limits>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "pipelines/common/residency/loading.hpp"
#include "pipelines/common/text/tokenizer/clean_prompt.hpp"
#include "pipelines/common/text/tokenizer/tokenizer.hpp"
#include "pipelines/common/text/umt5/umt5_encoder.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo::wan {
namespace {

// The beginning of a text, whole characters of UTF-8.
std::string beginning_of(const std::string& text) {
  constexpr size_t most = 60;
  if (text.size() <= most) return text;
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

// Once a text and process: a bench encodes the same prompt many times.
void warn_of_cut(const Host& run, const std::string& text, size_t tokens, size_t most) {
  static std::mutex mutex;
  static std::set<std::pair<std::string, size_t>> said;
  const std::lock_guard lock(mutex);
  if (!said.emplace(text, most).second) return;
  run.log(FV_LOG_WARNING, "wan",
          "the prompt \"" + beginning_of(text) + "\" has " + std::to_string(tokens) + " tokens, and the model reads " +
              std::to_string(most) + " (max_sequence_length): its end is cut off and has no effect; shorten it");
}

}  // namespace

bool is_finite(const EncodedPrompts& prompts) {
  for (const at::Tensor& one : {prompts.conditional, prompts.unconditional})
    if (one.defined() && !at::isfinite(one).all().item<bool>()) return false;
  return true;
}

struct PromptEncoder::TextEncoder {
  TextEncoder(const WanFolder& folder, const Request& request, LoadWatch watch)
      : tokenizer(
            Tokenizer::open(folder.tokenizer, folder.tokenizer_is_t5 ? TokenizerClass::t5 : TokenizerClass::backend)),
        weights(Weights::open(folder.text_encoder_weights.folder, folder.text_encoder_weights.files, std::move(watch))),
        model(folder.text_encoder, weights, {request.dtype, request.device}) {}

  at::Tensor encode(const Host& run, const std::string& text, int64_t max_length, Attention& attention) const {
    std::vector<int64_t> ids = tokenizer.encode(clean_prompt(text), std::numeric_limits<int64_t>::max());
    const auto most = static_cast<size_t>(max_length);
    if (ids.size() > most) {
      warn_of_cut(run, text, ids.size(), most);
      ids.resize(most);
      ids.back() = Tokenizer::eos_id;
    }
    return model.encode(ids, attention);
  }

  Tokenizer tokenizer;
  Weights weights;
  UMT5Encoder model;
};

PromptEncoder::PromptEncoder(const WanFolder& folder) : folder_(folder) {}
PromptEncoder::~PromptEncoder() = default;

EncodedPrompts PromptEncoder::encode(const Host& run, const Request& request, Attention& attention,
                                     const Progress& progress) {
  std::vector<std::string> wanted{request.prompt};
  if (request.guided()) wanted.push_back(request.negative_prompt);
  if (request.offload != Offload::nothing)
    wanted.insert(wanted.end(), request.later_prompts.begin(), request.later_prompts.end());
  std::set<std::string> texts;
  for (const std::string& text : wanted)
    if (rows_.count(text) == 0) texts.insert(text);

  if (!texts.empty()) {
    if (encoder_ == nullptr) {
      LoadWatch watch = begin_loading(progress, "load text encoder", folder_.text_encoder_weights);
      encoder_ = std::make_unique<TextEncoder>(folder_, request, std::move(watch));
    }
    progress.throw_if_cancelled();
    progress.stage("encode text", static_cast<int64_t>(texts.size()));
    int64_t done = 0;
    for (const std::string& text : texts) {
      rows_[text] = encoder_->encode(run, text, request.max_sequence_length, attention).to(request.dtype).cpu();
      progress.step(++done);
    }
    encoder_->weights.require_unchanged();
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
