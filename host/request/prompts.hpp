// The prompts of a run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/config/settings.hpp"

namespace fastvideo::host {

/// Throws RequestError "WHERE: not UTF-8: byte 0xE9 at column 5; ..." (columns are bytes, the first is 1) about
/// `setting`.
void require_utf8(std::string_view text, const std::string& where, const std::string& setting = {});

/// The prompts of a file: one on each line; blank lines (Unicode's white space alone) and those that begin with # are
/// passed over. Throws RequestError for one that cannot be read or holds none, and, with the line, for one that is not
/// UTF-8.
std::vector<std::string> read_prompt_file(const std::string& file);

/// [request] prompt, or the prompts of [request] prompt_file; of the two, the one that comes from the higher source.
/// Empty if neither is given. Throws RequestError: both from one source; not UTF-8; as
/// read_prompt_file.
std::vector<std::string> prompts_of(const Settings& settings);

}  // namespace fastvideo::host
