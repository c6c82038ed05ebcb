// tokenizer.json, the format of Hugging Face's tokenizers, as far as a T5 tokenizer uses it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/common/tokenizer/sentencepiece_model.hpp"

namespace fastvideo {

/// A token that is found in the text as it stands, before anything else: "</s>", "<extra_id_0>".
struct AddedToken {
  std::string text;
  int64_t id = 0;
  bool strip_left = false;  ///< takes the white space before it
  bool strip_right = false;
};

/// The special tokens of tokenizer.json, longest first. Throws Refused naming the file.
std::vector<AddedToken> read_added_tokens(const std::filesystem::path& tokenizer_json);

/// The Unigram model of tokenizer.json as a SentencePiece model. Throws Refused for what sentencepiece would not do in
/// the same way: other models, normalisers and pre-tokenizers.
SentencePieceModel convert_tokenizer_json(const std::filesystem::path& tokenizer_json);

}  // namespace fastvideo
