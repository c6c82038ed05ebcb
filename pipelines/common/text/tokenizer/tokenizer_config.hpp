// The tokens that the small files beside a tokenizer's model name.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/common/text/tokenizer/added_tokens.hpp"

namespace fastvideo {

/// A JSON object in a file. Throws Refused naming the file if it is missing, too large, not JSON, or holds no object.
nlohmann::json read_tokenizer_file(const std::filesystem::path& file);

/// {"content": "sks", "lstrip": false, ...}. Throws Refused, beginning with where.
AddedToken parse_added_token(const nlohmann::json& value, const std::string& where);

/// tokenizer_config.json, and without an added_tokens_decoder in it the older files.
struct TokenizerConfig {
  /// The tokens of added_tokens_decoder, in the order of their ids.
  std::vector<AddedToken> decoder;
  /// "eos_token" and the like: key and token, with the keys that every tokenizer may have first.
  std::vector<std::pair<std::string, AddedToken>> named;
  std::optional<std::vector<AddedToken>> extra;       ///< extra_special_tokens
  std::optional<std::vector<AddedToken>> additional;  ///< additional_special_tokens of special_tokens_map.json
  int64_t extra_ids = 100;
  bool split_special_tokens = false;
  std::optional<bool> truncate_left;
};

/// tokenizer_json: the content of tokenizer.json, or nothing where the file is absent.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder, const nlohmann::json* tokenizer_json);

}  // namespace fastvideo
