// Truncation of texts with more tokens than a model reads.
#pragma once

#include <cstdint>
#include <fastvideo/core.hpp>
#include <string>
#include <vector>

namespace fastvideo {

/// The beginning of a text for a message: whole characters of UTF-8.
std::string beginning_of(const std::string& text);

/// Cuts a prompt's ids to at most `most` (1 or more), with the last id kept as the last. The run's log gets a warning
/// that the end of the prompt is not read, once per text (again after a thousand other such texts). source: of the log.
/// Any thread.
std::vector<int64_t> cut_ids(const Host& run, const char* source, const std::string& text, std::vector<int64_t> ids,
                             int64_t most);

}  // namespace fastvideo
