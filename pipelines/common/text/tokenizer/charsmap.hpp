// SentencePiece's normalisation rules, compiled: a double-array trie (Darts-clone) of what is replaced, and the
// replacements behind it.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo {

/// Rules that were checked whole when they were read. Threads: any.
class Charsmap {
 public:
  /// No rules.
  Charsmap() = default;
  /// Throws Refused, beginning with name, if the rules point outside of themselves or make text that is not UTF-8.
  Charsmap(std::string bytes, const std::string& name);

  bool empty() const { return bytes_.empty(); }

  /// The text (UTF-8) by the rules, as Hugging Face's tokenizers apply them: a user's character (grapheme) of up to
  /// five bytes as a whole if a rule fits its beginning, else code point by code point. Time: proportional to the text.
  std::string normalize(std::string_view text) const;

 private:
  /// What the shortest rule makes of a text that begins so; false if none fits.
  bool apply(std::string_view text, std::string& result) const;
  uint32_t unit(size_t i) const;

  std::string bytes_;
  size_t replacements_ = 0;  // where they begin
};

}  // namespace fastvideo
