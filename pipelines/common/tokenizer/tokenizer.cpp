#include "pipelines/common/tokenizer/tokenizer.hpp"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <fastvideo/input_file.hpp>
#include <string>
#include <utility>

#include "pipelines/common/tokenizer/sentencepiece_model.hpp"
#include "pipelines/common/tokenizer/tokenizer_json.hpp"
#include "pipelines/common/tokenizer/utf8.hpp"

namespace fastvideo {
namespace {

// Fifty times that of UMT5, which has 256,000 pieces.
constexpr uint64_t kMostModelBytes = 256 << 20;

std::string_view trim(std::string_view text, bool left, bool right) {
  constexpr std::string_view white = " \t\n\r\f\v";
  if (right) text = text.substr(0, text.find_last_not_of(white) + 1);
  if (left) text.remove_prefix(std::min(text.find_first_not_of(white), text.size()));
  return text;
}

}  // namespace

struct Tokenizer::Impl {
  sentencepiece::SentencePieceProcessor processor;
  std::vector<AddedToken> added;  // longest first

  void load(const std::string& model, const std::filesystem::path& file) {
    if (const auto status = processor.LoadFromSerializedProto(model); !status.ok())
      throw Refused(file.string() + ": not a sentencepiece model: " + status.ToString());
    for (const auto& [id, piece] : {std::pair(pad_id, "<pad>"), std::pair(eos_id, "</s>")})
      if (id >= processor.GetPieceSize() || processor.IdToPiece(static_cast<int>(id)) != piece)
        throw Refused(file.string() + ": id " + std::to_string(id) + " is not " + piece + ", as T5 tokenizers have it");
  }

  void append(std::string_view text, std::vector<int64_t>& ids) const {
    std::vector<int> pieces;
    const auto status = processor.Encode(absl::string_view(text.data(), text.size()), &pieces);
    if (!status.ok()) throw std::runtime_error("the text cannot be tokenized: " + status.ToString());
    ids.insert(ids.end(), pieces.begin(), pieces.end());
  }
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::open(const std::filesystem::path& folder) {
  const std::filesystem::path spiece = folder / "spiece.model";
  const std::filesystem::path tokenizer_json = folder / "tokenizer.json";
  // Links that lead nowhere are there: reading them says why they cannot be read.
  const auto is_there = [](const std::filesystem::path& file) {
    std::error_code none;
    return std::filesystem::symlink_status(file, none).type() != std::filesystem::file_type::not_found;
  };
  const bool has_json = is_there(tokenizer_json);
  auto impl = std::make_unique<Impl>();
  if (is_there(spiece)) {
    const std::string model = read_input_file(spiece.string(), kMostModelBytes, "a sentencepiece model");
    check_precompiled_charsmap(read_precompiled_charsmap(model, spiece.string()), spiece.string());
    impl->load(model, spiece);
  } else if (has_json) {
    impl->load(serialize(convert_tokenizer_json(tokenizer_json)), tokenizer_json);
  } else {
    throw Refused(folder.string() + ": neither spiece.model nor tokenizer.json is there");
  }
  if (has_json) impl->added = read_added_tokens(tokenizer_json);
  return Tokenizer(std::move(impl));
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, int64_t max_length) const {
  if (max_length < 1)
    throw Refused("a text has at least one token, and " + std::to_string(max_length) + " are allowed");
  (void)decode_utf8(text);  // sentencepiece would replace what is not UTF-8
  std::vector<int64_t> ids;
  bool strip_left = false;
  for (size_t begin = 0, at = 0; at <= text.size();) {
    const auto token = std::find_if(impl_->added.begin(), impl_->added.end(),
                                    [&](const AddedToken& added) { return text.substr(at).starts_with(added.text); });
    if (at < text.size() && token == impl_->added.end()) {
      ++at;
      continue;
    }
    const bool found = at < text.size();
    impl_->append(trim(text.substr(begin, at - begin), strip_left, found && token->strip_left), ids);
    if (!found) break;
    ids.push_back(token->id);
    strip_left = token->strip_right;
    at += token->text.size();
    begin = at;
  }
  ids.resize(std::min<size_t>(ids.size(), max_length - 1));
  ids.push_back(eos_id);
  return ids;
}

int64_t Tokenizer::vocab_size() const {
  int64_t size = impl_->processor.GetPieceSize();
  for (const AddedToken& token : impl_->added) size = std::max(size, token.id + 1);
  return size;
}

}  // namespace fastvideo
