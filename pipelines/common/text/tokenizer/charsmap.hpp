// SentencePiece's normalisation rules, compiled: a double-array trie (Darts-clone) of the texts to replace, and the
// replacements behind it.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo {

/// A set of rules, checked whole when it is read. Threads: any.
class Charsmap {
 public:
  /// No rules.
  Charsmap() = default;
  /// Throws Refused, beginning with name, if the rules point outside of their data or make text that is not UTF-8.
  Charsmap(std::string bytes, const std::string& name);

  bool empty() const { return bytes_.empty(); }

  /// Applies the rules to a text (UTF-8) as Hugging Face's tokenizers do: a user's character (grapheme) of up to five
  /// bytes as a whole if a rule fits its beginning, else code point by code point. Time: proportional to the text.
  std::string normalize(std::string_view text) const;

 private:
  /// The replacement by the shortest rule that fits the beginning of a text; false if none fits.
  bool apply(std::string_view text, std::string& result) const;
  uint32_t unit(size_t i) const;

  std::string bytes_;
  size_t replacements_ = 0;  // where they begin
};

}  // namespace fastvideo
