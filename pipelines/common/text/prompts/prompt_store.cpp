#include "pipelines/common/text/prompts/prompt_store.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>

namespace fastvideo {

std::vector<std::string> Texts::to_encode(bool encoder_stays) const {
  std::vector<std::string> texts = now;
  if (!encoder_stays) texts.insert(texts.end(), later.begin(), later.end());
  return texts;
}

void PromptStore::expect(const Texts& texts, int64_t most_tokens) {
  if (most_tokens != most_tokens_) rows_.clear();
  most_tokens_ = most_tokens;
  const std::vector<std::string> all = texts.to_encode(/*encoder_stays=*/false);
  const std::set<std::string> expected(all.begin(), all.end());
  std::erase_if(rows_, [&](const auto& one) { return !expected.contains(one.first); });
}

std::set<std::string> PromptStore::missing(const std::vector<std::string>& texts) const {
  std::set<std::string> missing;
  for (const std::string& text : texts)
    if (!rows_.contains(text)) missing.insert(text);
  return missing;
}

void PromptStore::encode(const std::set<std::string>& texts, const char* stage, const Progress& progress,
                         const Encode& encode) {
  progress.throw_if_cancelled();
  progress.stage(stage, static_cast<int64_t>(texts.size()));
  int64_t done = 0;
  for (const std::string& text : texts) {
    rows_[text] = encode(text).cpu();
    progress.step(++done);
  }
}

const at::Tensor& PromptStore::rows(const std::string& text) const {
  const auto found = rows_.find(text);
  if (found == rows_.end()) throw std::logic_error("a text was asked for that is not encoded");
  return found->second;
}

at::Tensor PromptStore::padded(const std::string& text, int64_t length, at::Device device) const {
  const at::Tensor rows = this->rows(text).to(device);
  return at::constant_pad_nd(rows, {0, 0, 0, length - rows.size(1)});
}

uint64_t PromptStore::bytes() const {
  uint64_t bytes = 0;
  for (const auto& [text, rows] : rows_) bytes += rows.nbytes();
  return bytes;
}

}  // namespace fastvideo
