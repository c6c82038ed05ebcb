// Text to token ids, for UMT5 models.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace fastvideo {

/// Which of transformers' classes reads the folder, as model_index.json names it.
enum class TokenizerClass {
  t5,       ///< T5Tokenizer, T5TokenizerFast
  backend,  ///< TokenizersBackend, PreTrainedTokenizerFast
};

/// A unigram model with T5's conventions: </s> (id 1) ends every text, padding is id 0 and left to the caller. Its ids
/// are those of transformers 5 (docs/decisions/0010-tokenizer.md). Movable; encode may be called by several threads at
/// once.
class Tokenizer {
 public:
  /// Opens a folder with tokenizer.json or spiece.model, and the files of added tokens beside it. Throws Refused naming
  /// the file.
  static Tokenizer open(const std::filesystem::path& folder, TokenizerClass kind = TokenizerClass::t5);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids of a UTF-8 text with </s> at the end: at most max_length (1 or more) of them, </s> kept as the last one when
  /// the text is cut. Throws Refused for text that is not UTF-8, with the byte offset.
  std::vector<int64_t> encode(std::string_view text, int64_t max_length) const;

  /// Number of ids, added tokens included; an id is below it.
  int64_t vocab_size() const;

  static constexpr int64_t kPadId = 0;
  static constexpr int64_t kEosId = 1;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastvideo
