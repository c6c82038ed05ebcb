#include "pipelines/common/text/tokenizer/tokenizer_config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fastvideo/core.hpp>
#include <fastvideo/input_file.hpp>
#include <map>
#include <set>
#include <string_view>

#include "pipelines/common/weights/linked_file.hpp"

namespace fastvideo {
namespace {

using Json = nlohmann::json;

// The tokenizer.json of 256,000 pieces has 16 MB.
constexpr uintmax_t kLargestTokenizerFile = 256 << 20;
// The longest token and piece, in bytes: each place of a text is compared with this many bytes.
constexpr size_t kLongestToken = 1024;

constexpr std::array<std::string_view, 7> kCommonNames = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                          "pad_token", "cls_token", "mask_token"};

bool is_common(std::string_view key) {
  return std::find(kCommonNames.begin(), kCommonNames.end(), key) != kCommonNames.end();
}

AddedToken special_token(std::string content) {
  AddedToken token;
  token.content = std::move(content);
  token.special = true;
  return token;
}

/// Tokens by id; a later file's token of an id takes the place of an earlier one's.
using Decoder = std::map<int64_t, AddedToken>;

class ConfigReader {
 public:
  ConfigReader(const std::filesystem::path& folder, const Json* tokenizer_json)
      : folder_(folder), file_(folder / "tokenizer_config.json"), tokenizer_json_(tokenizer_json) {}

  TokenizerConfig read() {
    Json document = Json::object();
    if (file_is_there(file_)) document = read_tokenizer_file(file_);
    read_settings(document);
    take_named(document, file_);
    read_extra(document);
    Decoder decoder;
    if (document.contains("added_tokens_decoder")) {
      decoder = decoder_of(document["added_tokens_decoder"]);
    } else {
      read_special_tokens_map();
      read_added_tokens(decoder);
      if (tokenizer_json_ != nullptr) read_tokenizer_json(decoder);
    }
    finish(decoder);
    return std::move(config_);
  }

 private:
  [[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) const {
    throw Refused(file.string() + ": " + what);
  }

  void read_settings(const Json& document) {
    const auto flag = [&](const char* key, bool absent) {
      const Json value = document.value(key, Json(absent));
      if (!value.is_boolean()) refuse(file_, std::string(key) + " must be true or false");
      return value.get<bool>();
    };
    config_.split_special_tokens = flag("split_special_tokens", false);
    const Json extra_ids = document.value("extra_ids", Json(config_.extra_ids));
    constexpr int64_t kMostExtraIds = 100'000;
    if (!extra_ids.is_number_integer() || extra_ids < 0 || extra_ids > kMostExtraIds)
      refuse(file_, "extra_ids must be a whole number from 0 to " + std::to_string(kMostExtraIds));
    config_.extra_ids = extra_ids.get<int64_t>();
    const auto side = [&](const char* key) -> std::optional<bool> {
      if (!document.contains(key)) return std::nullopt;
      if (document[key] != "left" && document[key] != "right")
        refuse(file_, std::string(key) + " must be left or right");
      return document[key] == "left";
    };
    config_.truncate_left = side("truncation_side");
    if (side("padding_side") == true)
      refuse(file_, "padding_side is left: the text's rows would lie behind those of the padding; set it to right");
    for (const Json& name : document.value("fast_tokenizer_files", Json::array()))
      if (name != "tokenizer.json")
        refuse(file_,
               "fast_tokenizer_files names another file than tokenizer.json: files by version are not read; "
               "rename the one you want to tokenizer.json and take the key away");
  }

  /// A token as text, or as an object.
  AddedToken token(const Json& value, const std::filesystem::path& file, const std::string& key) const {
    if (value.is_string()) return special_token(value.get<std::string>());
    return parse_added_token(value, file.string() + ": " + key);
  }

  static bool is_named(const std::string& key, const Json& value) {
    if (!is_common(key) && !key.ends_with("_token")) return false;
    return value.is_string() || (value.is_object() && value.contains("content"));
  }

  void take_named(const Json& document, const std::filesystem::path& file) {
    for (const auto& [key, value] : document.items())
      if (is_named(key, value)) set_named(key, token(value, file, key));
  }

  void set_named(const std::string& key, AddedToken token) {
    const auto found =
        std::find_if(config_.named.begin(), config_.named.end(), [&](const auto& one) { return one.first == key; });
    if (found != config_.named.end())
      found->second = std::move(token);
    else
      config_.named.emplace_back(key, std::move(token));
  }

  std::vector<AddedToken> list(const Json& value, const std::filesystem::path& file, const std::string& key) const {
    std::vector<AddedToken> tokens;
    for (const Json& one : value) tokens.push_back(token(one, file, key));
    return tokens;
  }

  /// extra_special_tokens as a list, or as names with tokens; additional_special_tokens is its older name.
  void read_extra(const Json& document) {
    const Json newer = document.value("extra_special_tokens", Json());
    const bool is_given = !newer.is_null() && !newer.empty();
    const char* key = !is_given && document.contains("additional_special_tokens") ? "additional_special_tokens"
                                                                                  : "extra_special_tokens";
    const Json value = document.value(key, Json());
    if (is_given && document.value("additional_special_tokens", Json()).is_array())
      config_.additional = list(document["additional_special_tokens"], file_, "additional_special_tokens");
    if (value.is_null()) return;
    if (value.is_object()) {
      for (const auto& [name, one] : value.items()) set_named(name, token(one, file_, key));
    } else if (value.is_array()) {
      config_.extra = list(value, file_, key);
    } else {
      refuse(file_, std::string(key) + " must be a list of tokens");
    }
  }

  void read_special_tokens_map() {
    const std::filesystem::path file = folder_ / "special_tokens_map.json";
    if (!file_is_there(file)) return;
    const Json document = read_tokenizer_file(file);
    for (const auto& [key, value] : document.items()) {
      if (is_named(key, value)) {
        Json special = value;
        if (special.is_object()) special["special"] = true;
        set_named(key, token(special, file, key));
      } else if (key == "additional_special_tokens" && value.is_array()) {
        config_.additional = list(value, file, key);
      } else if (key == "extra_special_tokens" && value.is_array()) {
        std::vector<AddedToken> tokens = config_.extra.value_or(std::vector<AddedToken>());
        for (AddedToken& one : list(value, file, key))
          if (std::find(tokens.begin(), tokens.end(), one) == tokens.end()) tokens.push_back(std::move(one));
        config_.extra = std::move(tokens);
      }
    }
  }

  Decoder decoder_of(const Json& value) const {
    if (!value.is_object()) refuse(file_, "added_tokens_decoder must be an object of ids with tokens");
    Decoder decoder;
    for (const auto& [id, one] : value.items()) {
      int64_t number = 0;
      const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
      if (error != std::errc() || end != id.data() + id.size())
        refuse(file_, "added_tokens_decoder: " + Json(id).dump() + " is no id");
      decoder[number] = parse_added_token(one, file_.string() + ": added_tokens_decoder");
    }
    return decoder;
  }

  /// {"sks": 256300}
  void read_added_tokens(Decoder& decoder) const {
    const std::filesystem::path file = folder_ / "added_tokens.json";
    if (!file_is_there(file)) return;
    std::set<std::string> special;
    for (const auto& [key, one] : config_.named)
      if (is_common(key)) special.insert(one.content);
    for (const AddedToken& one : config_.extra.value_or(std::vector<AddedToken>())) special.insert(one.content);
    const Json document = read_tokenizer_file(file);
    for (const auto& [content, id] : document.items()) {
      if (!id.is_number_integer()) refuse(file, "the id of " + Json(content).dump() + " is no whole number");
      AddedToken one = parse_added_token({{"content", content}}, file.string());
      one.special = special.contains(content);
      one.normalized = !one.special;
      decoder[id.get<int64_t>()] = std::move(one);
    }
  }

  void read_tokenizer_json(Decoder& decoder) const {
    const std::string where = (folder_ / "tokenizer.json").string() + ": added_tokens";
    for (const Json& one : tokenizer_json_->value("added_tokens", Json::array())) {
      if (!one.is_object() || !one.contains("id") || !one["id"].is_number_integer())
        throw Refused(where + ": an entry without a whole number under id");
      decoder[one["id"].get<int64_t>()] = parse_added_token(one, where);
    }
  }

  /// A token of a common name that is also in the decoder takes the decoder's flags.
  void finish(const Decoder& decoder) {
    std::map<std::string, const AddedToken*, std::less<>> by_content;
    for (const auto& [id, one] : decoder) {
      config_.decoder.push_back(one);
      by_content[one.content] = &one;
    }
    for (auto& [key, one] : config_.named)
      if (const auto found = by_content.find(one.content); is_common(key) && found != by_content.end())
        one = *found->second;
    std::stable_sort(config_.named.begin(), config_.named.end(), [](const auto& a, const auto& b) {
      const auto place = [](const std::string& key) {
        return std::find(kCommonNames.begin(), kCommonNames.end(), key) - kCommonNames.begin();
      };
      return place(a.first) < place(b.first);
    });
  }

  std::filesystem::path folder_, file_;
  const Json* tokenizer_json_;
  TokenizerConfig config_;
};

}  // namespace

Json read_tokenizer_file(const std::filesystem::path& file) {
  Json document =
      parse_json<Json>(read_input_file(file.string(), kLargestTokenizerFile, "a tokenizer's file"), file.string());
  if (!document.is_object()) throw Refused(file.string() + ": not a JSON object");
  return document;
}

AddedToken parse_added_token(const Json& value, const std::string& where) {
  const auto refuse = [&](const std::string& what) { throw Refused(where + ": " + what); };
  if (!value.is_object() || !value.contains("content") || !value["content"].is_string())
    refuse("a token without its text under content");
  AddedToken token;
  token.content = value["content"].get<std::string>();
  const auto flag = [&](const char* key, bool absent) {
    const Json found = value.value(key, Json(absent));
    if (!found.is_boolean()) refuse("token " + Json(token.content).dump() + ": " + key + " must be true or false");
    return found.get<bool>();
  };
  token.special = flag("special", false);
  token.normalized = flag("normalized", !token.special);
  token.single_word = flag("single_word", false);
  token.lstrip = flag("lstrip", false);
  token.rstrip = flag("rstrip", false);
  if (token.content.size() > kLongestToken)
    refuse("a token of " + std::to_string(token.content.size()) + " bytes; at most " + std::to_string(kLongestToken) +
           " are possible");
  return token;
}

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder, const Json* tokenizer_json) {
  return ConfigReader(folder, tokenizer_json).read();
}

}  // namespace fastvideo
