// The prompt store keeps the embeddings that the current request can ask for, and no others.
#include "pipelines/common/text/prompts/prompt_store.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fastvideo {
namespace {

// A run without services.
class Nothing {
 public:
  Nothing() {
    services_.get = [](const fv_services*, const char*) -> const void* { return nullptr; };
  }
  Progress progress() const { return Progress(Host(&services_)); }

 private:
  fv_services services_{};
};

// One row for each letter, of the letter's number.
at::Tensor spelled(const std::string& text) {
  at::Tensor rows = at::zeros({1, std::ssize(text), 2});
  for (int64_t i = 0; i < std::ssize(text); ++i) rows[0][i].fill_(static_cast<double>(text[static_cast<size_t>(i)]));
  return rows;
}

TEST(PromptStore, EncodesEachTextOnce) {
  PromptStore store;
  std::vector<std::string> encoded;
  const auto encode = [&](const std::vector<std::string>& texts) {
    store.encode(store.missing(texts), "encode text", Nothing().progress(), [&](const std::string& text) {
      encoded.push_back(text);
      return spelled(text);
    });
  };
  store.expect({{"ab", ""}, {"c", "ab"}}, 8);
  encode({"ab", "", "c", "ab"});
  encode({"c", "ab"});
  EXPECT_EQ(encoded, (std::vector<std::string>{"", "ab", "c"}));
  const at::Tensor padded = store.padded("ab", 4, at::kCPU);
  EXPECT_TRUE(at::equal(padded, at::cat({spelled("ab"), at::zeros({1, 2, 2})}, 1)));
  EXPECT_EQ(store.bytes(), size_t{3} * 2 * sizeof(float));
}

TEST(PromptStore, HoldsTheTextsOfTheLastRequestAlone) {
  PromptStore store;
  const auto expect = [&](const Texts& texts, int64_t most) {
    store.expect(texts, most);
    store.encode(store.missing(texts.to_encode(false)), "encode text", Nothing().progress(), spelled);
  };
  for (int i = 0; i < 100; ++i) expect({{"prompt " + std::to_string(i), "grey"}, {}}, 16);
  EXPECT_EQ(store.bytes(), spelled("prompt 99").nbytes() + spelled("grey").nbytes());
  EXPECT_THROW(store.rows("prompt 98"), std::logic_error);
  // Another limit cuts other tokens.
  store.expect({{"prompt 99", "grey"}, {}}, 17);
  EXPECT_EQ(store.missing({"prompt 99", "grey"}).size(), 2u);
}

TEST(PromptStore, KeepsWhatWasEncodedBeforeAFailure) {
  PromptStore store;
  store.expect({{"a", "b"}, {}}, 4);
  const auto encode = [](const std::string& text) {
    if (text == "b") throw std::runtime_error("no");
    return spelled(text);
  };
  EXPECT_THROW(store.encode({"a", "b"}, "encode text", Nothing().progress(), encode), std::runtime_error);
  EXPECT_EQ(store.missing({"a", "b"}), (std::set<std::string>{"b"}));
}

}  // namespace
}  // namespace fastvideo
