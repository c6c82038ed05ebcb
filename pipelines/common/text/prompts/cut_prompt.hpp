// Texts of more tokens than a model reads.
#pragma once

#include <cstddef>
#include <fastvideo/core.hpp>
#include <string>

namespace fastvideo {

/// The beginning of a text for a message: whole characters of UTF-8.
std::string beginning_of(const std::string& text);

/// Warns that the end of a prompt is not read: once a text and process, whoever encodes it again. source: of the log.
/// Any thread.
void warn_of_cut(const Host& run, const char* source, const std::string& text, size_t tokens, size_t most);

}  // namespace fastvideo
