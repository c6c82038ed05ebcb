#include "pipelines/common/tokenizer/tokenizer.hpp"

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "pipelines/common/tokenizer/clean_prompt.hpp"
#include "pipelines/common/tokenizer/sentencepiece_model.hpp"
#include "pipelines/common/weights/test_files.hpp"

namespace fastvideo {
namespace {

using nlohmann::json;
using test::refusal;
using test::TemporaryFolder;
using test::write_file;

using Ids = std::vector<int64_t>;

const std::string space = "\xE2\x96\x81";  // U+2581

/// <pad>, </s>, <unk>, then "_", "_a", "_b", "b".
SentencePieceModel small_model() {
  using Type = SentencePieceModel::Type;
  SentencePieceModel model;
  model.pieces = {{"<pad>", 0, Type::control},
                  {"</s>", 0, Type::control},
                  {"<unk>", 0, Type::unknown},
                  {space, -3},
                  {space + "a", -1},
                  {space + "b", -1},
                  {"b", -2}};
  return model;
}

/// The same as tokenizer.json, with one special token more.
json small_json() {
  json vocabulary = json::array();
  for (const SentencePieceModel::Piece& piece : small_model().pieces) vocabulary.push_back({piece.text, piece.score});
  const auto special = [](const std::string& text, int64_t id) {
    return json{{"content", text}, {"id", id},        {"special", true},    {"single_word", false},
                {"lstrip", false}, {"rstrip", false}, {"normalized", false}};
  };
  return {{"added_tokens", {special("<pad>", 0), special("</s>", 1), special("<unk>", 2), special("<extra_id_0>", 7)}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", space}, {"prepend_scheme", "always"}}},
          {"model", {{"type", "Unigram"}, {"unk_id", 2}, {"vocab", vocabulary}, {"byte_fallback", false}}}};
}

TEST(Tokenizer, EndsEveryTextAndCutsBeforeTheEnd) {
  const TemporaryFolder folder;
  write_file(folder / "spiece.model", serialize(small_model()));
  const Tokenizer tokenizer = Tokenizer::open(folder.path());
  EXPECT_EQ(tokenizer.vocab_size(), 7);
  EXPECT_EQ(tokenizer.encode("", 8), (Ids{1}));
  EXPECT_EQ(tokenizer.encode("a b bb", 8), (Ids{4, 5, 5, 6, 1}));
  EXPECT_EQ(tokenizer.encode("  a \t b", 8), (Ids{4, 3, 2, 5, 1}));  // without rules a tab is a letter as any other
  EXPECT_EQ(tokenizer.encode("a b bb", 5), (Ids{4, 5, 5, 6, 1}));
  EXPECT_EQ(tokenizer.encode("a b bb", 4), (Ids{4, 5, 5, 1}));
  EXPECT_EQ(tokenizer.encode("a b bb", 1), (Ids{1}));
  EXPECT_EQ(tokenizer.encode("a\xF0\x9F\x8E\x89z", 8), (Ids{4, 2, 1}));  // one <unk> for a run
  EXPECT_CONTAINS(refusal([&] { tokenizer.encode("a", 0); }), "at least one token, and 0 are allowed");
}

TEST(Tokenizer, FindsSpecialTokensOnlyWhereTokenizerJsonNamesThem) {
  const TemporaryFolder folder;
  write_file(folder / "spiece.model", serialize(small_model()));
  EXPECT_EQ(Tokenizer::open(folder.path()).encode("a</s>", 8), (Ids{4, 2, 1}));
  write_file(folder / "tokenizer.json", small_json().dump());
  const Ids expected = {4, 1, 5, 7, 7, 1};
  EXPECT_EQ(Tokenizer::open(folder.path()).encode("a</s>b<extra_id_0><extra_id_0>", 8), expected);
  EXPECT_EQ(Tokenizer::open(folder.path()).vocab_size(), 8);
  std::filesystem::remove(folder / "spiece.model");
  EXPECT_EQ(Tokenizer::open(folder.path()).encode("a</s>b<extra_id_0><extra_id_0>", 8), expected);
  json strips = small_json();
  strips["added_tokens"][3]["lstrip"] = strips["added_tokens"][3]["rstrip"] = true;
  strips["pre_tokenizer"]["prepend_scheme"] = "never";
  write_file(folder / "tokenizer.json", strips.dump());
  EXPECT_EQ(Tokenizer::open(folder.path()).encode("b <extra_id_0> b", 8), (Ids{6, 7, 6, 1}));
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  const TemporaryFolder folder;
  write_file(folder / "spiece.model", serialize(small_model()));
  const Tokenizer tokenizer = Tokenizer::open(folder.path());
  const std::pair<std::string, std::string> cases[] = {{"ab\xFF", "byte 0xFF at offset 2"},
                                                       {"\x80", "byte 0x80 at offset 0"},
                                                       {"a\xC3", "byte 0xC3 at offset 1"},
                                                       {"\xC0\xAF", "byte 0xC0 at offset 0"},
                                                       {"\xE0\x80\x80", "byte 0xE0 at offset 0"},
                                                       {"\xC3\xA9\xED\xA0\x80", "byte 0xED at offset 2"},
                                                       {"\xF4\x90\x80\x80", "byte 0xF4 at offset 0"},
                                                       {"\xF0\x8F\xBF\xBF", "byte 0xF0 at offset 0"},
                                                       {"\xE2\x82", "byte 0xE2 at offset 0"},
                                                       {"\xF8\x88\x80\x80\x80", "byte 0xF8 at offset 0"}};
  for (const auto& [text, message] : cases) {
    EXPECT_CONTAINS(refusal([&] { tokenizer.encode(text, 8); }), message);
    EXPECT_CONTAINS(refusal([&] { clean_prompt(text); }), message);
  }
  const std::string good = "\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF";
  EXPECT_EQ(tokenizer.encode(good, 8).back(), 1);
}

TEST(Tokenizer, RefusesOtherModelsAndDamagedOnes) {
  const TemporaryFolder folder;
  const auto message = [&] { return refusal([&] { Tokenizer::open(folder.path()); }); };
  EXPECT_CONTAINS(message(), "neither spiece.model nor tokenizer.json");
  const std::string good = serialize(small_model());
  for (const std::string& bytes : {std::string(), std::string("x"), good.substr(0, good.size() / 2),
                                   std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")}) {
    write_file(folder / "spiece.model", bytes);
    EXPECT_CONTAINS(message(), (folder / "spiece.model").string());
  }
  SentencePieceModel other = small_model();
  other.pieces[0].text = "<s>";
  write_file(folder / "spiece.model", serialize(other));
  EXPECT_CONTAINS(message(), "id 0 is not <pad>");
}

TEST(Tokenizer, RefusesATokenizerJsonThatSentencePieceCannotDo) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& pointer, const json& value) {
    json changed = small_json();
    changed[json::json_pointer(pointer)] = value;
    write_file(folder / "tokenizer.json", changed.dump());
    return refusal([&] { Tokenizer::open(folder.path()); });
  };
  EXPECT_CONTAINS(message("/model/type", "BPE"), "the model is \"BPE\": a T5 tokenizer is Unigram");
  EXPECT_CONTAINS(message("/model/type", 1), "a part without a type");
  EXPECT_CONTAINS(message("/model/vocab", json::array()), "no vocab list");
  EXPECT_CONTAINS(message("/model/vocab/3", "x"), "vocab: \"x\" is not [piece, score]");
  EXPECT_CONTAINS(message("/model/vocab/3", {"b", 0}), "not a sentencepiece model");  // "b" twice
  EXPECT_CONTAINS(message("/model/unk_id", 7), "unk_id is 7: it must be the id of one of 7 pieces");
  EXPECT_CONTAINS(message("/model/unk_id", nullptr), "unk_id is null");
  EXPECT_CONTAINS(message("/normalizer", {{"type", "Lowercase"}}), "normalizer Lowercase is not one");
  EXPECT_CONTAINS(message("/normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}}), "NFC");
  EXPECT_CONTAINS(message("/normalizer", {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "b"}}),
                  "Replace");
  EXPECT_CONTAINS(message("/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "?"}}), "not base64");
  EXPECT_CONTAINS(message("/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AAAA"}}), "damaged");
  EXPECT_CONTAINS(message("/pre_tokenizer", {{"type", "ByteLevel"}}), "pre_tokenizer ByteLevel is not one");
  EXPECT_CONTAINS(message("/pre_tokenizer", {{"type", "WhitespaceSplit"}}), "no Metaspace");
  EXPECT_CONTAINS(message("/pre_tokenizer", nullptr), "no pre_tokenizer");
  EXPECT_CONTAINS(message("/added_tokens/0/single_word", true), "matches single words only");
  EXPECT_CONTAINS(message("/added_tokens/0/id", -1), "one with id -1");
  EXPECT_CONTAINS(message("/added_tokens/0/content", ""), "an empty token");
  EXPECT_CONTAINS(message("/added_tokens/0", 3), "added_tokens: ");
  EXPECT_CONTAINS(message("/added_tokens/3/special", false), "\"<extra_id_0>\" is not in the vocabulary");
  write_file(folder / "tokenizer.json", "{");
  EXPECT_CONTAINS(refusal([&] { Tokenizer::open(folder.path()); }), "not JSON");
}

TEST(Tokenizer, ReadsEveryFormThatTransformersHasWritten) {
  const TemporaryFolder folder;
  const json metaspace = {{"type", "Metaspace"}, {"replacement", space}, {"add_prefix_space", true}};
  const json runs = {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", space}};
  const json strip = {{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}};
  const json empty_rules = {{"type", "Precompiled"}, {"precompiled_charsmap", ""}};
  const std::pair<json, json> forms[] = {
      {nullptr, metaspace},
      {{{"type", "Sequence"}, {"normalizers", {empty_rules, strip, runs}}}, metaspace},
      {runs, {{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace}}}}};
  for (const auto& [normalizer, pre_tokenizer] : forms) {
    json form = small_json();
    form["normalizer"] = normalizer;
    form["pre_tokenizer"] = pre_tokenizer;
    write_file(folder / "tokenizer.json", form.dump());
    EXPECT_EQ(Tokenizer::open(folder.path()).encode(" a  b bb ", 8), (Ids{4, 5, 5, 6, 1})) << form.dump();
  }
}

TEST(PrecompiledCharsmap, IsFollowedNowhereOutside) {
  // A trie of one block whose root has one child, a leaf for "" with the replacement at 0.
  std::string trie(256 * 4, '\0');
  const auto set = [&](size_t unit, uint32_t value) {
    for (int i = 0; i < 4; ++i) trie[unit * 4 + i] = static_cast<char>(value >> 8 * i & 0xFF);
  };
  const auto check = [&](const std::string& replacements) {
    const std::string size = {0, 4, 0, 0};  // 1024
    check_precompiled_charsmap(size + trie + replacements, "x");
  };
  const std::string end(1, '\0');
  check(end);
  set(0, 1U << 10 | 0x100);
  set(1, 0x80000000U);
  check(end);
  EXPECT_CONTAINS(refusal([&] { check(""); }), "x: the precompiled_charsmap is damaged");
  EXPECT_CONTAINS(refusal([&] { check("a"); }), "damaged");  // no end
  set(1, 0x80000001U);
  EXPECT_CONTAINS(refusal([&] { check(end); }), "damaged");  // a replacement behind the end
  set(1, 5);
  EXPECT_CONTAINS(refusal([&] { check(end); }), "damaged");  // a leaf that is none
  set(1, 0x80000000U);
  set(7, 256U << 10);
  EXPECT_CONTAINS(refusal([&] { check(end); }), "damaged");  // a child behind the trie
  EXPECT_CONTAINS(refusal([&] { check_precompiled_charsmap("abc", "x"); }), "damaged");
  EXPECT_CONTAINS(refusal([&] { check_precompiled_charsmap(std::string("\xFF\xFF\xFF\xFF") + trie, "x"); }), "damaged");
}

TEST(Tokenizer, SurvivesRandomDamage) {
  // Any byte of a good model changed: read as something else, or refused; encoding never leaves the model.
  const TemporaryFolder folder;
  const std::string good = serialize(small_model());
  std::mt19937 random(0);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string bad = good;
    for (int n = 0; n < 1 + i % 3; ++n) bad[random() % bad.size()] = static_cast<char>(random());
    write_file(folder / "spiece.model", bad);
    try {
      const Tokenizer tokenizer = Tokenizer::open(folder.path());
      for (const int64_t id : tokenizer.encode("a b bb z", 16)) EXPECT_LT(id, tokenizer.vocab_size());
    } catch (const std::runtime_error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace fastvideo
