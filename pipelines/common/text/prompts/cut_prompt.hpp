// Texts of more tokens than a model reads.
#pragma once

#include <cstdint>
#include <fastvideo/core.hpp>
#include <string>
#include <vector>

namespace fastvideo {

/// The beginning of a text for a message: whole characters of UTF-8.
std::string beginning_of(const std::string& text);

/// At most `most` (1 or more) of a prompt's ids, the last of them kept as the last. That the end of the prompt is not
/// read is a warning of the run's log, said once a text, whoever encodes it again (a thousand other such texts later,
/// once more). source: of the log. Any thread.
std::vector<int64_t> cut_ids(const Host& run, const char* source, const std::string& text, std::vector<int64_t> ids,
                             int64_t most);

}  // namespace fastvideo
