// Tokens that are matched literally in a text before the model sees the text: "</s>", "<extra_id_0>", "sks".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/common/text/tokenizer/prefix_table.hpp"

namespace fastvideo {

/// Hugging Face's AddedToken.
struct AddedToken {
  std::string content;
  bool single_word = false;  ///< only where no letter or digit is beside the token
  bool lstrip = false;       ///< takes the white space before the token
  bool rstrip = false;
  bool normalized = false;  ///< found in the normalised text, with its own content normalised
  bool special = false;
  bool operator==(const AddedToken&) const = default;
};

/// All added tokens of a tokenizer. Built by one thread; split may be called by several threads at once.
class AddedTokens {
 public:
  /// Appends a token: its id is that of the model's piece (piece_of, -1 for none) or the next free id. A token that was
  /// added before takes the new flags, but stays special if it was.
  void add(AddedToken token, int64_t model_size, const std::function<int64_t(std::string_view)>& piece_of);

  /// To be called after the last add; `normalize` is the tokenizer's normaliser. With split_special, special tokens are
  /// not found, nor tokens that were special in an earlier add.
  void finish(bool split_special, const std::function<std::string(std::string_view)>& normalize);

  /// A part of a text: a token's id, or -1 for text between tokens.
  struct Part {
    std::string_view text;
    int64_t id = -1;
  };
  /// The parts of a text, empty ones left out. Of several tokens the leftmost counts, then the longest. normalized:
  /// which of the two kinds of token is looked for.
  std::vector<Part> split(std::string_view text, bool normalized) const;

  bool contains(const std::string& content) const { return places_.contains(content); }
  bool contains(const AddedToken& token) const;
  /// -1 for none.
  int64_t id_of(const std::string& content) const;
  /// One above the highest id; 0 if there is no token.
  int64_t end_id() const { return end_id_; }

 private:
  struct Entry {
    AddedToken token;
    int64_t id;
    bool was_special;  // once special, always special, as in the tokenizers library
  };

  std::vector<Entry> entries_;
  std::map<std::string, size_t, std::less<>> places_;
  int64_t end_id_ = 0;
  bool split_special_ = false;
  PrefixTable plain_, normalized_;  // to places
};

}  // namespace fastvideo
