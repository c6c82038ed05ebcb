// Text as UTF-8 (RFC 3629: no overlong forms, no surrogates).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fastvideo::host {

/// One character, or one byte that belongs to none.
struct Utf8Character {
  uint32_t code = 0;
  size_t bytes = 1;
  bool is_valid = false;
};

/// The first of a text that is not empty.
Utf8Character character_at(std::string_view text);

/// Whether a byte goes on with the character of the one before it.
inline bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

/// How many of the first `most` bytes hold whole characters: where a text may be cut.
size_t whole_characters(std::string_view text, size_t most);

/// Where the first byte stands that belongs to no character; nothing if all do.
std::optional<size_t> first_that_is_not_utf8(std::string_view text);

}  // namespace fastvideo::host
