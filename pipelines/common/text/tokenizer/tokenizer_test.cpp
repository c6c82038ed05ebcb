#include "pipelines/common/text/tokenizer/tokenizer.hpp"

#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "pipelines/common/text/tokenizer/charsmap.hpp"
#include "pipelines/common/text/tokenizer/clean_prompt.hpp"
#include "pipelines/common/text/tokenizer/sentencepiece_model.hpp"
#include "pipelines/common/weights/test_files.hpp"
#include "tests/support/sanitized.hpp"

namespace fastvideo {
namespace {

using nlohmann::json;
using test::refusal;
using test::TemporaryFolder;
using test::write_file;

using Ids = std::vector<int64_t>;

const std::string kSpace = "\xE2\x96\x81";  // U+2581

/// <pad>, </s>, <unk>, then "_", "_a", "_b", "b".
SentencePieceModel small_model() {
  using Type = SentencePieceModel::Type;
  SentencePieceModel model;
  model.pieces = {{"<pad>", 0, Type::control},
                  {"</s>", 0, Type::control},
                  {"<unk>", 0, Type::unknown},
                  {kSpace, -3},
                  {kSpace + "a", -1},
                  {kSpace + "b", -1},
                  {"b", -2}};
  return model;
}

/// The folder's tokenizer: spiece.model and no sentinels.
void write_spiece(const TemporaryFolder& folder, const std::string& bytes) {
  write_file(folder / "spiece.model", bytes);
  write_file(folder / "tokenizer_config.json", R"({"extra_ids": 0})");
}

/// The same tokenizer as tokenizer.json, with one special token more.
json small_json() {
  json vocabulary = json::array();
  for (const SentencePieceModel::Piece& piece : small_model().pieces) vocabulary.push_back({piece.text, piece.score});
  const auto special = [](const std::string& text, int64_t id) {
    return json{{"content", text}, {"id", id},        {"special", true},    {"single_word", false},
                {"lstrip", false}, {"rstrip", false}, {"normalized", false}};
  };
  return {{"added_tokens", {special("<pad>", 0), special("</s>", 1), special("<unk>", 2), special("<extra_id_0>", 7)}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", kSpace}, {"prepend_scheme", "always"}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {{{"Sequence", {{"id", "A"}}}}, {{"SpecialToken", {{"id", "</s>"}}}}}}}},
          {"model", {{"type", "Unigram"}, {"unk_id", 2}, {"vocab", vocabulary}, {"byte_fallback", false}}}};
}

TEST(Tokenizer, EndsEveryTextAndCutsBeforeTheEnd) {
  const TemporaryFolder folder;
  write_spiece(folder, serialize(small_model()));
  const Tokenizer tokenizer = Tokenizer::open(folder.path());
  EXPECT_EQ(tokenizer.vocab_size(), 7);
  EXPECT_EQ(tokenizer.encode("", 8), (Ids{1}));
  EXPECT_EQ(tokenizer.encode("a b bb", 8), (Ids{4, 5, 5, 6, 1}));
  EXPECT_EQ(tokenizer.encode("  a \t b", 8), (Ids{4, 5, 1}));
  EXPECT_EQ(tokenizer.encode("a b bb", 5), (Ids{4, 5, 5, 6, 1}));
  EXPECT_EQ(tokenizer.encode("a b bb", 4), (Ids{4, 5, 5, 1}));
  EXPECT_EQ(tokenizer.encode("a b bb", 1), (Ids{1}));
  EXPECT_EQ(tokenizer.encode("a\xF0\x9F\x8E\x89z", 8), (Ids{4, 2, 1}));  // one <unk> for a run
  EXPECT_CONTAINS(refusal([&] { tokenizer.encode("a", 0); }), "at least one token, and 0 are allowed");
}

TEST(Tokenizer, FindsAddedTokensWhereverTheyAreNamed) {
  const TemporaryFolder folder;
  const Ids expected = {4, 1, 5, 7, 7, 1};
  const std::string text = "a</s>b sks  sks";
  const auto open = [&] { return Tokenizer::open(folder.path()); };
  write_spiece(folder, serialize(small_model()));
  EXPECT_EQ(open().encode("a</s>", 8), (Ids{4, 1, 1}));  // a control piece is a token of its own
  EXPECT_NE(open().encode(text, 8), expected);
  write_file(folder / "added_tokens.json", R"({"sks": 7})");
  EXPECT_EQ(open().encode(text, 8), expected);
  EXPECT_EQ(open().vocab_size(), 8);
  std::filesystem::remove(folder / "added_tokens.json");
  json with_token = small_json();
  with_token["added_tokens"][3] = {{"content", "sks"}, {"id", 7}, {"special", false}};
  write_file(folder / "tokenizer.json", with_token.dump());
  EXPECT_EQ(open().encode(text, 8), expected);
  std::filesystem::remove(folder / "spiece.model");
  EXPECT_EQ(open().encode(text, 8), expected);
  const char* config = R"({"extra_ids": 0, "added_tokens_decoder": {"7": {"content": "sks"}}})";
  write_file(folder / "tokenizer_config.json", config);
  EXPECT_EQ(open().encode(text, 8), expected);
  std::filesystem::remove(folder / "tokenizer.json");
  write_file(folder / "spiece.model", serialize(small_model()));
  EXPECT_EQ(open().encode(text, 8), expected);
}

TEST(Tokenizer, WhiteSpaceThatATokenTakesMayBeATokenToo) {
  // As in the tokenizers library: findings/space_that_is_two_tokens.sh.
  const TemporaryFolder folder;
  json form = small_json();
  for (const char* content : {"<x>", "\xE3\x80\x80"})  // the second is U+3000
    form["added_tokens"].push_back({{"content", content},
                                    {"id", 8 + (content[0] == '<' ? 0 : 1)},
                                    {"special", false},
                                    {"single_word", false},
                                    {"lstrip", false},
                                    {"rstrip", content[0] == '<'},
                                    {"normalized", false}});
  write_file(folder / "tokenizer.json", form.dump());
  const Tokenizer tokenizer = Tokenizer::open(folder.path(), TokenizerClass::backend);
  EXPECT_EQ(tokenizer.encode("<x>\xE3\x80\x80", 8), (Ids{8, 9, 1}));
  EXPECT_EQ(tokenizer.encode("<x> \xE3\x80\x80\xE3\x80\x80", 8), (Ids{8, 9, 9, 1}));
}

TEST(Tokenizer, RefusesAddedTokensThatAreNone) {
  const TemporaryFolder folder;
  const auto message = [&](const char* file, const std::string& text) {
    write_spiece(folder, serialize(small_model()));
    write_file(folder / file, text);
    const std::string said = refusal([&] { Tokenizer::open(folder.path()); });
    std::filesystem::remove(folder / file);
    EXPECT_CONTAINS(said, (folder / file).string());
    return said;
  };
  const char* config = "tokenizer_config.json";
  EXPECT_CONTAINS(message("added_tokens.json", R"({"sks": "7"})"), "the id of \"sks\" is no whole number");
  EXPECT_CONTAINS(message("added_tokens.json", "[1]"), "not a JSON object");
  EXPECT_CONTAINS(message("added_tokens.json", R"({")" + std::string(1025, 'a') + R"(": 7})"),
                  "a token of 1025 bytes; at most 1024 are possible");
  EXPECT_CONTAINS(message(config, R"({"added_tokens_decoder": {"x": {"content": "a"}}})"), "\"x\" is no id");
  EXPECT_CONTAINS(message(config, R"({"added_tokens_decoder": {"7": "a"}})"), "a token without its text");
  EXPECT_CONTAINS(message(config, R"({"added_tokens_decoder": [1]})"), "must be an object");
  EXPECT_CONTAINS(message(config, R"({"extra_ids": -1})"), "extra_ids must be a whole number");
  EXPECT_CONTAINS(message(config, R"({"padding_side": "left"})"), "padding_side is left");
  EXPECT_CONTAINS(message(config, R"({"truncation_side": 3})"), "truncation_side must be left or right");
  EXPECT_CONTAINS(message(config, R"({"fast_tokenizer_files": ["tokenizer.4.0.0.json"]})"), "rename the one you want");
}

TEST(Tokenizer, SaysWhereALinkLeads) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("../blobs/ab12", folder / "tokenizer.json");
  write_spiece(folder, serialize(small_model()));
  EXPECT_CONTAINS(refusal([&] { Tokenizer::open(folder.path()); }), "a link to ../blobs/ab12, that is ");
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  const TemporaryFolder folder;
  write_spiece(folder, serialize(small_model()));
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
  EXPECT_CONTAINS(message(), "neither tokenizer.json nor spiece.model");
  const std::string good = serialize(small_model());
  for (const std::string& bytes : {std::string(), std::string("x"), good.substr(0, good.size() / 2),
                                   std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")}) {
    write_file(folder / "spiece.model", bytes);
    EXPECT_CONTAINS(message(), (folder / "spiece.model").string());
  }
  const auto changed = [&](auto&& change) {
    SentencePieceModel other = small_model();
    change(other);
    write_file(folder / "spiece.model", serialize(other));
    return message();
  };
  EXPECT_CONTAINS(changed([](auto& model) { model.pieces[0].text = "<s>"; }), "id 0 is not <pad>");
  EXPECT_CONTAINS(changed([](auto& model) { model.pieces.clear(); }), "without pieces");
  EXPECT_CONTAINS(changed([](auto& model) { model.pieces[4].text = std::string(1025, 'a'); }),
                  "piece 4 has 1025 bytes; at most 1024");
  EXPECT_CONTAINS(changed([](auto& model) { model.pieces[4].text = "a\xFF"; }), "piece 4: the text is not UTF-8");
  EXPECT_CONTAINS(changed([](auto& model) { model.pieces[4].score = NAN; }), "score that is not finite");
  // If a file has its rules twice, the last rules are both checked and used.
  SentencePieceModel rules;
  rules.precompiled_charsmap = "damaged";
  write_file(folder / "spiece.model", serialize(small_model()) + serialize(rules));
  EXPECT_CONTAINS(message(), "precompiled_charsmap is damaged");
  write_spiece(folder, serialize(rules) + serialize(small_model()));
  EXPECT_EQ(Tokenizer::open(folder.path()).encode("a", 8), (Ids{4, 1}));
}

TEST(Tokenizer, RefusesATokenizerJsonThatSentencePieceCannotDo) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& pointer, const json& value) {
    json changed = small_json();
    changed[json::json_pointer(pointer)] = value;
    write_file(folder / "tokenizer.json", changed.dump());
    return refusal([&] { Tokenizer::open(folder.path(), TokenizerClass::backend); });
  };
  EXPECT_CONTAINS(message("/model/type", "BPE"), "the model is BPE: a T5 tokenizer is Unigram");
  EXPECT_CONTAINS(message("/model/type", 1), "a part without a type");
  EXPECT_CONTAINS(message("/model/vocab", json::array()), "no vocab list");
  EXPECT_CONTAINS(message("/model/vocab/3", "x"), "vocab: \"x\" is not [piece, score]");
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
  EXPECT_CONTAINS(message("/added_tokens/0/content", 3), "a token without its text");
  EXPECT_CONTAINS(message("/post_processor", nullptr), "does not end a text with </s> alone");
  EXPECT_CONTAINS(message("/added_tokens/0", 3), "added_tokens: ");
  write_file(folder / "tokenizer.json", "{");
  EXPECT_CONTAINS(refusal([&] { Tokenizer::open(folder.path()); }), "not JSON");
}

TEST(Tokenizer, ReadsEveryFormThatTransformersHasWritten) {
  const TemporaryFolder folder;
  const json metaspace = {{"type", "Metaspace"}, {"replacement", kSpace}, {"add_prefix_space", true}};
  const json runs = {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", kSpace}};
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
    for (const TokenizerClass kind : {TokenizerClass::t5, TokenizerClass::backend})
      EXPECT_EQ(Tokenizer::open(folder.path(), kind).encode("a b bb", 8), (Ids{4, 5, 5, 6, 1})) << form.dump();
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
    static_cast<void>(Charsmap(size + trie + replacements, "x"));
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
  EXPECT_CONTAINS(refusal([&] { check(end); }), "damaged");  // a leaf without the leaf bit
  set(1, 0x80000000U);
  set(7, 256U << 10);
  EXPECT_CONTAINS(refusal([&] { check(end); }), "damaged");  // a child behind the trie
  EXPECT_CONTAINS(refusal([&] { Charsmap("abc", "x"); }), "damaged");
  EXPECT_CONTAINS(refusal([&] { Charsmap(std::string("\xFF\xFF\xFF\xFF") + trie, "x"); }), "damaged");
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
    write_spiece(folder, bad);
    try {
      const Tokenizer tokenizer = Tokenizer::open(folder.path());
      for (const int64_t id : tokenizer.encode("a b bb z", 16)) EXPECT_LT(id, tokenizer.vocab_size());
    } catch (const std::runtime_error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
}

template <class Body>
double processor_seconds(Body&& body) {
  const std::clock_t begin = std::clock();
  body();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

// Twice the input takes at most 2.5 times as long; times below 50 ms are too noisy to compare. Other work on the
// machine only lengthens a time, so the least of up to five counts; a time that grows with the square stays at 4.
template <class Make>
void expect_proportional(const char* what, Make&& make) {
  double once = 1e9, twice = 1e9;
  for (int turn = 0; turn < 5; ++turn) {
    once = std::min(once, processor_seconds(make(1)));
    twice = std::min(twice, processor_seconds(make(2)));
    if (twice <= std::max(2.5 * once, 0.05)) return;
  }
  ADD_FAILURE() << what << ": " << once << " s, then " << twice << " s";
}

TEST(Times, GrowWithTheInputAndNoFaster) {
  if (test::kIsSanitized) GTEST_SKIP() << "a sanitizer's own bookkeeping is most of the time";
  const TemporaryFolder folder;
  const auto tokenizer = [&](int count) {
    json tokens = json::object();
    for (int i = 0; i < count; ++i) tokens["tok" + std::to_string(i)] = 7 + i;
    write_spiece(folder, serialize(small_model()));
    write_file(folder / "added_tokens.json", tokens.dump());
    return Tokenizer::open(folder.path());
  };
  const auto repeated = [](const std::string& part, size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += part;
    return text;
  };
  constexpr size_t kPrompt = 45'000;
  expect_proportional("added tokens", [&](int n) { return [&tokenizer, n] { tokenizer(150'000 * n); }; });
  const Tokenizer many = tokenizer(300'000);
  for (const char* part : {"a b ", "bbbb", "tok299999x", "tok", "\xE2\x96\x81", "\xF0\x9F\x8E\x89"})
    expect_proportional(part,
                        [&](int n) { return [&many, text = repeated(part, kPrompt * n)] { many.encode(text, 512); }; });
  for (const char* part : {"a b ", "&amp;", "&amp", "&", "&#1", "\x1B[1", "\x1B[1;", "e\xCC\x81", "\xCC\x81\xCC\xA3",
                           "<\n", "\xEF\xBC\x86", "&amp;amp;", "\n", " ", "&a", "\xEF\xBD\xB6\xEF\xBE\x9E"})
    expect_proportional(part, [&](int n) { return [text = repeated(part, kPrompt * n)] { clean_prompt(text); }; });
  expect_proportional("&amp;amp;...",
                      [&](int n) { return [text = "&" + repeated("amp;", kPrompt * n)] { clean_prompt(text); }; });
}

}  // namespace
}  // namespace fastvideo
