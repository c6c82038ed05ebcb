#include "pipelines/common/text/tokenizer/tokenizer_files.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fastvideo/core.hpp>
#include <fastvideo/input_file.hpp>
#include <optional>
#include <set>

#include "pipelines/common/text/tokenizer/sentencepiece_model.hpp"
#include "pipelines/common/text/tokenizer/tokenizer_config.hpp"
#include "pipelines/common/text/tokenizer/utf8.hpp"
#include "pipelines/common/text/tokenizer/white_space.hpp"
#include "pipelines/common/weights/linked_file.hpp"

namespace fastvideo {
namespace {

using Json = nlohmann::json;
using std::filesystem::path;

// Pieces that sentencepiece makes have 16 characters at most; each place of a text is compared with this many bytes.
constexpr size_t kLongestPiece = 1024;
constexpr size_t kMostPieces = 1 << 24;
constexpr uintmax_t kLargestModelFile = 256 << 20;

void check_pieces(const std::vector<UnigramPiece>& pieces, const path& file) {
  const auto refuse = [&](const std::string& what) { throw Refused(file.string() + ": " + what); };
  if (pieces.size() > kMostPieces)
    refuse(std::to_string(pieces.size()) + " pieces; at most " + std::to_string(kMostPieces) + " are possible");
  for (size_t id = 0; id < pieces.size(); ++id) {
    const std::string which = "piece " + std::to_string(id);
    if (pieces[id].text.size() > kLongestPiece)
      refuse(which + " has " + std::to_string(pieces[id].text.size()) + " bytes; at most " +
             std::to_string(kLongestPiece) + " are possible");
    if (!(std::abs(pieces[id].score) < 1e30)) refuse(which + " has a score that is not finite");
    try {
      static_cast<void>(decode_utf8(pieces[id].text));
    } catch (const Refused& problem) {
      refuse(which + ": " + problem.what());
    }
  }
}

std::string decode_base64(const std::string& text, const path& file) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t buffer = 0;
  int bits = 0;
  for (const char c : std::string_view(text).substr(0, text.find('='))) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) throw Refused(file.string() + ": precompiled_charsmap is not base64");
    buffer = buffer << 6 | static_cast<uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(buffer >> bits & 0xFF);
  }
  return bytes;
}

/// The parts of one tokenizer.json; messages begin with the file's path.
class JsonParts {
 public:
  JsonParts(const Json& document, path file) : document_(document), file_(std::move(file)) {}

  std::vector<UnigramPiece> pieces() const {
    const Json& model = part("model");
    if (!model.is_object() || type(model) != "Unigram")
      refuse("the model is " + (model.is_object() ? type(model) : model.dump()) + ": a T5 tokenizer is Unigram");
    if (!model.contains("vocab") || !model["vocab"].is_array() || model["vocab"].empty())
      refuse("the model has no vocab list");
    std::vector<UnigramPiece> pieces;
    for (const Json& entry : model["vocab"]) {
      if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
        refuse("vocab: " + entry.dump() + " is not [piece, score]");
      pieces.push_back({entry[0].get<std::string>(), entry[1].get<double>()});
    }
    check_pieces(pieces, file_);
    return pieces;
  }

  /// The id of text without a piece.
  int64_t unk_id(size_t pieces) const {
    const Json unk = part("model").value("unk_id", Json());
    if (!unk.is_number_integer() || unk < 0 || unk >= pieces)
      refuse("unk_id is " + unk.dump() + ": it must be the id of one of " + std::to_string(pieces) + " pieces");
    return unk.get<int64_t>();
  }

  bool byte_fallback() const {
    const Json flag = part("model").value("byte_fallback", Json(false));
    if (!flag.is_boolean()) refuse("byte_fallback must be true or false");
    return flag.get<bool>();
  }

  std::vector<NormalizerStep> normalizer() const {
    std::vector<NormalizerStep> steps;
    if (!part("normalizer").is_null()) add_step(part("normalizer"), steps);
    return steps;
  }

  void read_pre_tokenizer(TokenizerModel& model) const {
    const Json& whole = part("pre_tokenizer");
    if (whole.is_null()) refuse("no pre_tokenizer: a T5 tokenizer has Metaspace");
    Json steps = Json::array({whole});
    if (type(whole) == "Sequence") steps = whole.value("pretokenizers", Json::array());
    model.split_at_white_space = false;
    std::optional<std::string> scheme;
    for (const Json& step : steps) {
      const std::string kind = type(step);
      if (kind == "WhitespaceSplit" && !scheme) {
        model.split_at_white_space = true;
        continue;
      }
      if (kind != "Metaspace" || scheme) refuse("pre_tokenizer " + kind + " is not one that T5 tokenizers have");
      if (step.value("replacement", Json()) != std::string(kMetaSpace)) refuse("Metaspace has another replacement");
      const bool old_style = step.value("add_prefix_space", Json(true)) == true;
      scheme = step.value("prepend_scheme", Json(old_style ? "always" : "never")).dump();
      model.split_at_spaces = step.value("split", Json(true)) == true;
    }
    if (!scheme) refuse("no Metaspace pre_tokenizer");
    using Prepend = TokenizerModel::Prepend;
    if (*scheme != "\"always\"" && *scheme != "\"first\"" && *scheme != "\"never\"")
      refuse("prepend_scheme is " + *scheme + ": it must be always, first or never");
    model.prepend = *scheme == "\"always\""  ? Prepend::always
                    : *scheme == "\"first\"" ? Prepend::first
                                             : Prepend::never;
  }

  /// Requires a post-processor that appends </s> to a text and nothing else.
  void require_end() const {
    const Json& processor = part("post_processor");
    const bool is_template = processor.is_object() && type(processor) == "TemplateProcessing";
    const Json single = is_template ? processor.value("single", Json::array()) : Json::array();
    const auto holds = [&](size_t i, const char* key, const char* id) {
      return single[i].is_object() && single[i].value(key, Json()).is_object() &&
             single[i][key].value("id", Json()) == id;
    };
    if (!single.is_array() || single.size() != 2 || !holds(0, "Sequence", "A") || !holds(1, "SpecialToken", "</s>"))
      refuse("the post_processor does not end a text with </s> alone, as T5 tokenizers do");
  }

  std::optional<bool> truncate_left() const {
    const Json& truncation = part("truncation");
    if (!truncation.is_object()) return std::nullopt;
    return truncation.value("direction", Json()) == "Left";
  }

  /// The normalisation rules, empty if the model has none.
  Charsmap rules() const {
    for (const NormalizerStep& step : normalizer())
      if (step.kind == NormalizerStep::Kind::charsmap) return step.rules;
    return {};
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { throw Refused(file_.string() + ": " + what); }

  const Json& part(const char* key) const {
    static const Json none;
    const auto found = document_.find(key);
    return found == document_.end() ? none : *found;
  }

  std::string type(const Json& part) const {
    if (!part.is_object() || !part.contains("type") || !part["type"].is_string()) refuse("a part without a type");
    return part["type"].get<std::string>();
  }

  void add_step(const Json& part, std::vector<NormalizerStep>& steps) const {
    using Kind = NormalizerStep::Kind;
    const std::string kind = type(part);
    NormalizerStep step;
    if (kind == "Sequence") {
      const Json inner = part.value("normalizers", Json::array());
      for (const Json& one : inner) {
        if (one.is_object() && one.contains("normalizers")) refuse("a Sequence in a Sequence of normalizers");
        add_step(one, steps);
      }
      return;
    }
    if (kind == "Precompiled") {
      const Json map = part.value("precompiled_charsmap", Json());
      if (!map.is_string() && !map.is_null()) refuse("precompiled_charsmap is not a text");
      if (map.is_string())
        step.rules = Charsmap(decode_base64(map.get_ref<const std::string&>(), file_), file_.string());
    } else if (kind == "Replace") {
      const Json pattern = part.value("pattern", Json::object());
      const Json content = part.value("content", Json());
      const bool known = content == " " || content == std::string(kMetaSpace);
      if (!known || (pattern != Json{{"Regex", " {2,}"}} && pattern != Json{{"String", " "}}))
        refuse("normalizer " + part.dump() + " is not one that T5 tokenizers have");
      step.kind = pattern.contains("Regex") ? Kind::runs : Kind::spaces;
      step.replacement = content.get<std::string>();
    } else if (kind == "Strip") {
      step.kind = Kind::strip;
      step.strip_left = part.value("strip_left", Json(true)) == true;
      step.strip_right = part.value("strip_right", Json(true)) == true;
    } else {
      refuse("normalizer " + kind + " is not one that T5 tokenizers have");
    }
    steps.push_back(std::move(step));
  }

  const Json& document_;
  path file_;
};

/// Adds tokens in the order of transformers' classes and closes the list.
class Assembly {
 public:
  /// Call when the pieces are read.
  Assembly(TokenizerModel& model, const path& folder) : model_(model), folder_(folder) {
    for (const auto& [id, piece] : {std::pair(0, "<pad>"), std::pair(1, "</s>")})
      if (model_.unigram.find(piece) != id)
        throw Refused(folder_.string() + ": id " + std::to_string(id) + " is not " + piece +
                      ", as T5 tokenizers have it: this tokenizer is of another kind");
  }

  void add(const AddedToken& token) {
    model_.added.add(token, model_.unigram.size(), [&](std::string_view text) { return model_.unigram.find(text); });
  }

  /// Adds the tokens that the configuration names and that were not added before.
  void add_configured(const TokenizerConfig& config) {
    std::set<std::string> names;
    for (const auto& [key, token] : config.named) names.insert(token.content);
    std::vector<AddedToken> waiting;
    for (AddedToken token : config.decoder) {
      token.special |= names.contains(token.content);
      if (!model_.added.contains(token)) waiting.push_back(token);
    }
    std::set<std::string> decoded;
    for (const AddedToken& token : waiting) decoded.insert(token.content);
    const auto add_missing = [&](const AddedToken& token) {
      if (!model_.added.contains(token.content) && !decoded.contains(token.content)) waiting.push_back(token);
    };
    for (const auto& [key, token] : config.named) add_missing(token);
    for (const AddedToken& token : config.extra.value_or(std::vector<AddedToken>())) add_missing(token);
    for (const AddedToken& token : waiting) add(token);
    for (const auto& [key, token] : config.named) require_id(key, token);
  }

  void finish(const TokenizerConfig& config, std::optional<bool> truncate_left) {
    model_.added.finish(config.split_special_tokens, [&](std::string_view text) { return model_.normalize(text); });
    model_.cut_left = config.truncate_left.value_or(truncate_left.value_or(false));
  }

 private:
  // The ids of </s> and padding must be those that the text encoder was trained with.
  void require_id(const std::string& key, const AddedToken& token) const {
    const int64_t wanted = key == "pad_token" ? 0 : key == "eos_token" ? 1 : -1;
    const int64_t id = model_.added.id_of(token.content);
    if (wanted >= 0 && id != wanted)
      throw Refused((folder_ / "tokenizer_config.json").string() + ": " + key + " " + Json(token.content).dump() +
                    " has id " + std::to_string(id) + "; T5 tokenizers have it at " + std::to_string(wanted));
  }

  TokenizerModel& model_;
  path folder_;
};

/// T5Tokenizer's own tokens: end, unknown, padding, and its sentinels.
void complete_t5(TokenizerConfig& config, std::optional<std::vector<AddedToken>> of_model, const path& folder) {
  const auto special = [](std::string content) {
    AddedToken token;
    token.content = std::move(content);
    token.special = true;
    return token;
  };
  const auto is_named = [&](const char* key) {
    return std::any_of(config.named.begin(), config.named.end(), [&](const auto& one) { return one.first == key; });
  };
  for (const auto& [key, content] :
       {std::pair("eos_token", "</s>"), std::pair("unk_token", "<unk>"), std::pair("pad_token", "<pad>")})
    if (!is_named(key)) config.named.emplace_back(key, special(content));
  static constexpr std::array<std::string_view, 5> kOrder = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                             "pad_token"};
  std::stable_sort(config.named.begin(), config.named.end(), [](const auto& a, const auto& b) {
    const auto place = [](const std::string& key) {
      return std::find(kOrder.begin(), kOrder.end(), key) - kOrder.begin();
    };
    return place(a.first) < place(b.first);
  });

  std::vector<AddedToken> additional = of_model ? *of_model : config.additional.value_or(std::vector<AddedToken>());
  const auto sentinels = std::count_if(additional.begin(), additional.end(), [](const AddedToken& token) {
    return token.content.find("<extra_id_") != std::string::npos;
  });
  if (sentinels > 0 && config.extra_ids > 0 && sentinels != config.extra_ids)
    throw Refused((folder / "tokenizer_config.json").string() + ": extra_ids is " + std::to_string(config.extra_ids) +
                  ", and the tokenizer names " + std::to_string(sentinels) + " tokens <extra_id_N>: set extra_ids to " +
                  std::to_string(sentinels));
  if (sentinels == 0)
    for (int64_t i = 0; i < config.extra_ids; ++i)
      additional.push_back(special("<extra_id_" + std::to_string(i) + ">"));
  if (!config.extra) config.extra = std::move(additional);
}

}  // namespace

std::string NormalizerStep::apply(std::string_view text) const {
  std::string result;
  switch (kind) {
    case Kind::charsmap:
      return rules.normalize(text);
    case Kind::strip:
      if (strip_left) text.remove_prefix(leading_white_space(text));
      if (strip_right) text.remove_suffix(trailing_white_space(text));
      return std::string(text);
    case Kind::runs:
    case Kind::spaces:
      for (size_t i = 0; i < text.size();) {
        const size_t end = text[i] == ' ' ? std::min(text.find_first_not_of(' ', i), text.size()) : i + 1;
        const size_t count = text[i] == ' ' ? end - i : 0;
        if (count == 0 || (kind == Kind::runs && count == 1))
          result += text[i];
        else
          for (size_t n = 0; n < (kind == Kind::runs ? 1 : count); ++n) result += replacement;
        i = end;
      }
      return result;
  }
  return std::string(text);
}

std::string TokenizerModel::normalize(std::string_view text) const {
  std::string result(text);
  for (const NormalizerStep& step : normalizer) result = step.apply(result);
  return result;
}

TokenizerModel read_t5_tokenizer(const path& folder) {
  const path spiece = folder / "spiece.model", tokenizer_json = folder / "tokenizer.json";
  constexpr int64_t kUnkId = 2;  // as in transformers' T5Tokenizer, whatever the files say
  TokenizerModel model;
  TokenizerConfig config;
  std::vector<UnigramPiece> pieces;
  std::optional<std::vector<AddedToken>> of_model;
  std::optional<bool> truncate_left;
  NormalizerStep step;
  path file = tokenizer_json;
  if (file_is_there(tokenizer_json)) {
    const Json document = read_tokenizer_file(tokenizer_json);
    const JsonParts parts(document, tokenizer_json);
    config = read_tokenizer_config(folder, &document);
    pieces = parts.pieces();
    step.rules = parts.rules();
    truncate_left = parts.truncate_left();
  } else if (file_is_there(spiece)) {
    file = spiece;
    config = read_tokenizer_config(folder, nullptr);
    const SentencePieceModel read = parse_sentencepiece_model(
        read_input_file(spiece.string(), kLargestModelFile, "a SentencePiece model"), spiece.string());
    of_model.emplace();
    for (const SentencePieceModel::Piece& piece : read.pieces) {
      pieces.push_back({piece.text, piece.score});
      const bool is_control = piece.type == SentencePieceModel::Type::control;
      if (!is_control && piece.type != SentencePieceModel::Type::user_defined) continue;
      AddedToken token;
      token.content = piece.text;
      token.special = is_control;
      of_model->push_back(std::move(token));
    }
    for (int64_t i = config.extra_ids; i-- > 0;) pieces.push_back({"<extra_id_" + std::to_string(i) + ">", 0});
    check_pieces(pieces, spiece);
    step.rules = Charsmap(read.precompiled_charsmap, spiece.string());
  } else {
    throw Refused(folder.string() + ": neither tokenizer.json nor spiece.model is there; download the whole folder");
  }
  if (static_cast<int64_t>(pieces.size()) <= kUnkId)
    throw Refused(file.string() + ": " + std::to_string(pieces.size()) + " pieces; a T5 tokenizer has at least " +
                  std::to_string(kUnkId + 1));
  model.unigram = Unigram(pieces, kUnkId, /*byte_fallback=*/false);
  if (!step.rules.empty()) model.normalizer.push_back(std::move(step));
  complete_t5(config, std::move(of_model), folder);
  Assembly assembly(model, folder);
  assembly.add_configured(config);
  assembly.finish(config, truncate_left);
  return model;
}

TokenizerModel read_tokenizer_json(const path& folder) {
  const path file = folder / "tokenizer.json";
  if (!file_is_there(file))
    throw Refused(folder.string() +
                  ": no tokenizer.json, which the tokenizer's class in model_index.json reads; with "
                  "spiece.model alone the class must be T5TokenizerFast");
  const Json document = read_tokenizer_file(file);
  const JsonParts parts(document, file);
  const TokenizerConfig config = read_tokenizer_config(folder, &document);
  TokenizerModel model;
  const std::vector<UnigramPiece> pieces = parts.pieces();
  model.unigram = Unigram(pieces, parts.unk_id(pieces.size()), parts.byte_fallback());
  model.normalizer = parts.normalizer();
  parts.read_pre_tokenizer(model);
  parts.require_end();
  Assembly assembly(model, folder);
  for (const Json& one : document.value("added_tokens", Json::array()))
    assembly.add(parse_added_token(one, file.string() + ": added_tokens"));
  assembly.add_configured(config);
  assembly.finish(config, parts.truncate_left());
  return model;
}

}  // namespace fastvideo
