// A tokenizer's definition, read from the files in which Hugging Face's libraries save it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/common/text/tokenizer/added_tokens.hpp"
#include "pipelines/common/text/tokenizer/charsmap.hpp"
#include "pipelines/common/text/tokenizer/unigram.hpp"

namespace fastvideo {

/// One step of a normaliser.
struct NormalizerStep {
  enum class Kind { charsmap, strip, runs, spaces };
  Kind kind = Kind::charsmap;
  Charsmap rules;                             ///< charsmap
  bool strip_left = false;                    ///< strip
  bool strip_right = false;                   ///< strip
  std::string replacement = {};               ///< replacement of runs of two or more spaces, or of each space
  std::string apply(std::string_view) const;  ///< in UTF-8
};

/// A tokenizer of T5's kind, ready to be used.
struct TokenizerModel {
  enum class Prepend { always, first, never };

  std::vector<NormalizerStep> normalizer;
  bool split_at_white_space = true;
  bool split_at_spaces = true;        ///< words, by the sign of a space in front of each
  Prepend prepend = Prepend::always;  ///< the sign of a space in front of a text
  Unigram unigram;
  AddedTokens added;
  bool cut_left = false;  ///< a text that is too long loses its beginning

  std::string normalize(std::string_view text) const;
};

/// The sign of a space, U+2581.
inline constexpr std::string_view kMetaSpace = "\xE2\x96\x81";

/// Reads the folder as transformers 5 does for its class T5Tokenizer (T5TokenizerFast is the same): pieces and rules of
/// tokenizer.json, or of spiece.model if that is absent; added tokens of tokenizer_config.json's added_tokens_decoder,
/// or without one those of special_tokens_map.json, added_tokens.json and tokenizer.json; the id of unknown text is 2.
/// Throws Refused naming the file.
TokenizerModel read_t5_tokenizer(const std::filesystem::path& folder);

/// Reads the folder as transformers 5 does for its class TokenizersBackend (PreTrainedTokenizerFast is the same):
/// tokenizer.json unaltered, and the tokens of tokenizer_config.json. Throws Refused for normalisers and pre-tokenizers
/// that T5 tokenizers do not have.
TokenizerModel read_tokenizer_json(const std::filesystem::path& folder);

}  // namespace fastvideo
