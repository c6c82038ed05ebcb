#include "pipelines/common/tokenizer/tokenizer_json.hpp"

#include <algorithm>
#include <array>
#include <fastvideo/input_file.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

namespace fastvideo {
namespace {

using nlohmann::json;

// Fifteen times that of UMT5, which has 256,000 pieces.
constexpr uint64_t kMostBytes = 256 << 20;

// U+2581, which stands for a space in pieces.
constexpr std::string_view meta_space = "\xE2\x96\x81";

/// One tokenizer.json; complaints begin with its path.
class TokenizerJson {
 public:
  TokenizerJson(const std::filesystem::path& file, bool with_model) : file_(file) {
    const std::string text = read_input_file(file.string(), kMostBytes, "a tokenizer");
    require_shallow_json(text, file.string());
    // The vocabulary is nearly all of the file; where it is not wanted it is not kept.
    const auto keep = [&](int depth, json::parse_event_t event, json& parsed) {
      return with_model || depth != 1 || event != json::parse_event_t::key || parsed != "model";
    };
    try {
      document_ = json::parse(text, keep);
    } catch (const json::exception& error) {
      refuse(std::string("not JSON: ") + error.what());
    }
    if (!document_.is_object()) refuse("not a JSON object");
  }

  std::vector<AddedToken> added_tokens(bool special) const {
    std::vector<AddedToken> tokens;
    for (const json& entry : document_.value("added_tokens", json::array())) {
      try {
        if (entry.at("special").get<bool>() != special) continue;
        if (entry.at("single_word").get<bool>())
          refuse("added token " + entry.at("content").dump() + " matches single words only, which is not done here");
        tokens.push_back({entry.at("content").get<std::string>(), entry.at("id").get<int64_t>(),
                          entry.at("lstrip").get<bool>(), entry.at("rstrip").get<bool>()});
      } catch (const json::exception& error) {
        refuse(std::string("added_tokens: ") + error.what());
      }
      constexpr int64_t most_ids = 1 << 24;
      if (tokens.back().text.empty() || tokens.back().id < 0 || tokens.back().id >= most_ids)
        refuse("added_tokens: an empty token, or one with id " + std::to_string(tokens.back().id));
    }
    std::sort(tokens.begin(), tokens.end(),
              [](const AddedToken& a, const AddedToken& b) { return a.text.size() > b.text.size(); });
    return tokens;
  }

  SentencePieceModel model() const {
    SentencePieceModel model;
    read_vocabulary(model);
    if (document_.contains("normalizer")) read_normalizer(document_["normalizer"], model);
    model.add_dummy_prefix = adds_prefix();
    return model;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { throw Refused(file_.string() + ": " + what); }

  /// The type of a part of the tokenizer.
  std::string type(const json& part) const {
    if (!part.is_object() || !part.contains("type") || !part["type"].is_string()) refuse("a part without a type");
    return part["type"].get<std::string>();
  }

  void read_vocabulary(SentencePieceModel& model) const {
    const json section = document_.value("model", json::object());
    if (!section.is_object() || type(section) != "Unigram")
      refuse("the model is " + section.value("type", json()).dump() + ": a T5 tokenizer is Unigram");
    const json& vocabulary = section.contains("vocab") ? section["vocab"] : section;
    if (!vocabulary.is_array() || vocabulary.empty()) refuse("the model has no vocab list");
    for (const json& entry : vocabulary) {
      if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
        refuse("vocab: " + entry.dump() + " is not [piece, score]");
      model.pieces.push_back({entry[0].get<std::string>(), entry[1].get<float>()});
    }
    const auto count = static_cast<int64_t>(model.pieces.size());
    const json unk = section.value("unk_id", json());
    if (!unk.is_number_integer() || unk.get<int64_t>() < 0 || unk.get<int64_t>() >= count)
      refuse("unk_id is " + unk.dump() + ": it must be the id of one of " + std::to_string(count) + " pieces");
    model.unk_id = unk.get<int64_t>();
    model.byte_fallback = section.value("byte_fallback", false);

    // In the text, special tokens are found beforehand or not at all: never by the model.
    for (const bool special : {true, false})
      for (const AddedToken& token : added_tokens(special))
        if (token.id < count && model.pieces[token.id].text == token.text)
          model.pieces[token.id].type =
              special ? SentencePieceModel::Type::control : SentencePieceModel::Type::user_defined;
        else if (!special)
          refuse("added token " + json(token.text).dump() + " is not in the vocabulary");
    if (model.byte_fallback)
      for (SentencePieceModel::Piece& piece : model.pieces)
        if (piece.text.size() == 6 && piece.text.starts_with("<0x") && piece.text.ends_with(">"))
          piece.type = SentencePieceModel::Type::byte;
    model.pieces[model.unk_id].type = SentencePieceModel::Type::unknown;
  }

  /// Accepts the compiled rules and the handling of spaces that sentencepiece does itself.
  void read_normalizer(const json& part, SentencePieceModel& model) const {
    if (part.is_null()) return;
    const std::string kind = type(part);
    if (kind == "Sequence") {
      for (const json& inner : part.value("normalizers", json::array())) read_normalizer(inner, model);
    } else if (kind == "Precompiled") {
      if (!model.precompiled_charsmap.empty()) refuse("two Precompiled normalizers");
      const json map = part.value("precompiled_charsmap", json());
      if (!map.is_string() && !map.is_null()) refuse("precompiled_charsmap is not a text");
      if (map.is_string()) model.precompiled_charsmap = decode_base64(map.get_ref<const std::string&>());
      check_precompiled_charsmap(model.precompiled_charsmap, file_.string());
    } else if (kind == "Replace") {
      const json pattern = part.value("pattern", json::object());
      const json content = part.value("content", json());
      const bool runs = pattern == json{{"Regex", " {2,}"}} && (content == " " || content == std::string(meta_space));
      const bool escape = pattern == json{{"String", " "}} && content == std::string(meta_space);
      if (!runs && !escape) refuse("normalizer " + part.dump() + " is not one that sentencepiece has");
    } else if (kind != "Strip") {
      refuse("normalizer " + kind + " is not one that sentencepiece has");
    }
  }

  /// Whether a text begins with a space for the model; refuses other pre-tokenizers.
  bool adds_prefix() const {
    const json part = document_.value("pre_tokenizer", json());
    if (part.is_null()) refuse("no pre_tokenizer: a T5 tokenizer has Metaspace");
    std::vector<json> parts = {part};
    if (type(part) == "Sequence") parts = part.value("pretokenizers", json::array()).get<std::vector<json>>();
    std::optional<bool> prefix;
    for (const json& step : parts) {
      const std::string kind = type(step);
      if (kind == "Metaspace") {
        if (step.value("replacement", json()) != std::string(meta_space)) refuse("Metaspace has another replacement");
        const bool old_style = step.value("add_prefix_space", true);
        prefix = step.value("prepend_scheme", std::string(old_style ? "always" : "never")) != "never";
      } else if (kind != "WhitespaceSplit") {
        refuse("pre_tokenizer " + kind + " is not one that sentencepiece has");
      }
    }
    if (!prefix) refuse("no Metaspace pre_tokenizer");
    return *prefix;
  }

  std::string decode_base64(const std::string& text) const {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    uint32_t buffer = 0;
    int bits = 0;
    for (const char c : std::string_view(text).substr(0, text.find('='))) {
      const size_t digit = digits.find(c);
      if (digit == std::string_view::npos) refuse("precompiled_charsmap is not base64");
      buffer = buffer << 6 | static_cast<uint32_t>(digit);
      bits += 6;
      if (bits < 8) continue;
      bits -= 8;
      bytes += static_cast<char>(buffer >> bits & 0xFF);
    }
    return bytes;
  }

  std::filesystem::path file_;
  json document_;
};

}  // namespace

std::vector<AddedToken> read_added_tokens(const std::filesystem::path& tokenizer_json) {
  return TokenizerJson(tokenizer_json, /*with_model=*/false).added_tokens(/*special=*/true);
}

SentencePieceModel convert_tokenizer_json(const std::filesystem::path& tokenizer_json) {
  return TokenizerJson(tokenizer_json, /*with_model=*/true).model();
}

}  // namespace fastvideo
