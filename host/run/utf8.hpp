// Whether a text is UTF-8, to be asked before a model is loaded.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fastvideo {

/// Where the first byte stands that is no UTF-8 (RFC 3629: no overlong forms, no surrogates); nothing if all is.
std::optional<std::size_t> first_that_is_not_utf8(std::string_view text);

/// Throws RequestError "WHERE: not UTF-8: byte 0xE9 at column 5; ..." (columns are bytes, the first is 1).
void require_utf8(std::string_view text, const std::string& where);

}  // namespace fastvideo
