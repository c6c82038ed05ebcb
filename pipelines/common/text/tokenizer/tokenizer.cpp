#include "pipelines/common/text/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <fastvideo/core.hpp>
#include <string>
#include <utility>

#include "pipelines/common/text/tokenizer/tokenizer_files.hpp"
#include "pipelines/common/text/tokenizer/utf8.hpp"
#include "pipelines/common/text/tokenizer/white_space.hpp"

namespace fastvideo {

struct Tokenizer::Impl {
  TokenizerModel model;

  /// Ids of a normalised text without added tokens. is_first: the text begins the whole text.
  void append_text(std::string_view text, bool is_first, std::vector<int64_t>& ids) const {
    if (!model.split_at_white_space) return append_words(text, is_first, ids);
    for (size_t begin = 0; begin < text.size();) {
      begin += leading_white_space(text.substr(begin));
      size_t end = begin;
      while (end < text.size()) {
        const auto [code_point, length] = first_code_point(text.substr(end));
        if (is_white_space(code_point)) break;
        end += length;
      }
      if (end > begin) append_words(text.substr(begin, end - begin), is_first && begin == 0, ids);
      begin = end;
    }
  }

  /// The text with the sign of a space for each space and, by the prepend scheme, in front.
  void append_words(std::string_view text, bool is_first, std::vector<int64_t>& ids) const {
    using Prepend = TokenizerModel::Prepend;
    std::string marked;
    marked.reserve(text.size() + kMetaSpace.size());
    for (const char c : text) c == ' ' ? marked.append(kMetaSpace) : marked.append(1, c);
    const bool prepends = model.prepend == Prepend::always || (model.prepend == Prepend::first && is_first);
    if (prepends && !marked.starts_with(kMetaSpace)) marked.insert(0, kMetaSpace);
    const std::string_view whole = marked;
    if (!model.split_at_spaces) return model.unigram.append(whole, ids);
    for (size_t begin = 0; begin < whole.size();) {
      const size_t next = std::min(whole.find(kMetaSpace, begin + 1), whole.size());
      model.unigram.append(whole.substr(begin, next - begin), ids);
      begin = next;
    }
  }
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::open(const std::filesystem::path& folder, TokenizerClass kind) {
  return Tokenizer(std::make_unique<Impl>(
      Impl{kind == TokenizerClass::t5 ? read_t5_tokenizer(folder) : read_tokenizer_json(folder)}));
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, int64_t max_length) const {
  if (max_length < 1)
    throw Refused("a text has at least one token, and " + std::to_string(max_length) + " are allowed");
  static_cast<void>(decode_utf8(text));  // the code below relies on valid UTF-8
  const TokenizerModel& model = impl_->model;
  std::vector<int64_t> ids;
  for (const AddedTokens::Part& part : model.added.split(text, /*normalized=*/false)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    const std::string normalized = model.normalize(part.text);
    const bool begins = part.text.data() == text.data();
    for (const AddedTokens::Part& inner : model.added.split(normalized, /*normalized=*/true)) {
      if (inner.id >= 0)
        ids.push_back(inner.id);
      else
        impl_->append_text(inner.text, begins && inner.text.data() == normalized.data(), ids);
    }
  }
  const auto most = static_cast<size_t>(max_length - 1);
  if (ids.size() > most && model.cut_left) ids.erase(ids.begin(), ids.end() - static_cast<ptrdiff_t>(most));
  ids.resize(std::min(ids.size(), most));
  ids.push_back(kEosId);
  return ids;
}

int64_t Tokenizer::vocab_size() const { return std::max(impl_->model.unigram.size(), impl_->model.added.end_id()); }

}  // namespace fastvideo
