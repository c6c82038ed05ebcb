// The command line, as settings: every flag stands for a setting of the host or of an item.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/config/settings.hpp"

namespace fastvideo::host {

/// What decides which flags there are, read before the others: where plugins and configuration lie.
struct EarlyFlags {
  std::optional<std::filesystem::path> config;  ///< --config
  std::vector<Given> given;                     ///< --plugin-dir and --set
};

/// Looks through the arguments (without the program's name) for --config, --plugin-dir and --set; passes over all else.
/// Throws RequestError if one of them lacks its value.
EarlyFlags read_early_flags(const std::vector<std::string>& arguments);

/// "attention.backend=FLASH_ATTN" of --set. Throws RequestError if there is no '='.
Given parse_set(const std::string& text);

/// "NAME" or "ROLE=NAME" of --attention-backend.
Given parse_attention_backend(const std::string& text);

}  // namespace fastvideo::host
