#include "pipelines/wan/prompt.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "pipelines/common/residency/loading.hpp"
#include "pipelines/common/text/tokenizer/clean_prompt.hpp"
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

// The texts of a request; all: with those of later runs.
std::vector<std::string> texts_of(const Request& request, bool all) {
  std::vector<std::string> texts{request.prompt};
  if (request.guided()) texts.push_back(request.negative_prompt);
  if (all) texts.insert(texts.end(), request.later_prompts.begin(), request.later_prompts.end());
  return texts;
}

}  // namespace

bool is_finite(const EncodedPrompts& prompts) {
  for (const at::Tensor& one : {prompts.conditional, prompts.unconditional})
    if (one.defined() && !at::isfinite(one).all().item<bool>()) return false;
  return true;
}

struct PromptEncoder::TextEncoder {
  TextEncoder(const WanFolder& folder, const Request& request, LoadWatch watch)
      : weights(Weights::open(folder.text_encoder_weights.folder, folder.text_encoder_weights.files, std::move(watch))),
        model(folder.text_encoder, weights, {request.dtype, request.device}) {}

  Weights weights;
  UMT5Encoder model;
};

PromptEncoder::PromptEncoder(const WanFolder& folder) : folder_(folder) {}
PromptEncoder::~PromptEncoder() = default;

const Tokenizer& PromptEncoder::tokenizer() {
  if (tokenizer_ == nullptr)
    tokenizer_ = std::make_unique<Tokenizer>(
        Tokenizer::open(folder_.tokenizer, folder_.tokenizer_is_t5 ? TokenizerClass::t5 : TokenizerClass::backend));
  return *tokenizer_;
}

std::vector<int64_t> PromptEncoder::ids_of(const std::string& text) {
  return tokenizer().encode(clean_prompt(text), std::numeric_limits<int64_t>::max());
}

std::vector<int64_t> PromptEncoder::cut_ids_of(const Host& run, const std::string& text, int64_t most) {
  std::vector<int64_t> ids = ids_of(text);
  if (ids.size() <= static_cast<size_t>(most)) return ids;
  warn_of_cut(run, text, ids.size(), static_cast<size_t>(most));
  ids.resize(static_cast<size_t>(most));
  ids.back() = Tokenizer::eos_id;
  return ids;
}

void PromptEncoder::check(const Request& request) {
  std::set<std::pair<std::string, int64_t>> checked;
  for (const std::string& text : texts_of(request, /*all=*/true)) {
    const auto& key = *checked.emplace(text, request.max_sequence_length).first;
    if (checked_.contains(key)) continue;
    std::vector<int64_t> ids = ids_of(text);
    ids.resize(std::min(ids.size(), static_cast<size_t>(request.max_sequence_length)));
    const int64_t largest = *std::max_element(ids.begin(), ids.end());
    if (largest < folder_.text_encoder.vocab_size) continue;
    throw Refused(folder_.tokenizer.string() + ": the prompt \"" + beginning_of(text) + "\" has a token of id " +
                  std::to_string(largest) + ", and " + (folder_.path / "text_encoder" / "config.json").string() +
                  " says vocab_size " + std::to_string(folder_.text_encoder.vocab_size) +
                  ": tokenizer and text encoder are of different models");
  }
  checked_ = std::move(checked);
}

EncodedPrompts PromptEncoder::encode(const Host& run, const Request& request, Attention& attention,
                                     const Progress& progress) {
  std::set<std::string> texts;
  for (const std::string& text : texts_of(request, /*all=*/request.offload != Offload::nothing))
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
      const std::vector<int64_t> ids = cut_ids_of(run, text, request.max_sequence_length);
      rows_[text] = encoder_->model.encode(ids, attention).to(request.dtype).cpu();
      progress.step(++done);
    }
    encoder_->weights.require_unchanged();
  }
  if (request.offload != Offload::nothing) {
    encoder_.reset();
    tokenizer_.reset();
  }
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
