// Calls checked against the declarations of their sites, and attention in parts of its heads.
#include "pipelines/common/attention/attention.hpp"

#include <ATen/ATen.h>
#include <fastvideo/attention.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

#include "pipelines/common/attention/split_heads.hpp"
#include "pipelines/common/testing/plain_attention.hpp"

namespace fastvideo {
namespace {

constexpr int64_t kBatch = 2, kTokens = 5, kLayers = 3;

AttentionSite site_of_all_kinds() {
  return {.name = "text.llama",
          .role = FV_ROLE_TEXT_SELF,
          .layers = kLayers,
          .heads = 4,
          .kv_heads = 2,
          .head_size = 8,
          .scale = 0.3,
          .masks = FV_MASK_CAUSAL | FV_MASK_KEY_LENGTHS | FV_MASK_BIAS,
          .log_sum_exp = true};
}

// Tensors of a call that its site declares; a test spoils one of them.
struct Call {
  AttentionSite site = site_of_all_kinds();
  int64_t layer = 1;
  at::Tensor q = at::randn({kBatch, kTokens, 4, 8}), k = at::randn({kBatch, kTokens, 2, 8}),
             v = at::randn({kBatch, kTokens, 2, 8});
  at::Tensor mask = at::randn({kBatch, 4, kTokens, kTokens});
  at::Tensor key_lengths = at::tensor({3, 5}, at::kInt);
  at::Tensor log_sum_exp;
  bool takes_log_sum_exp = true;

  at::Tensor run(Attention& attention) {
    return attention.run({.site = site,
                          .layer = layer,
                          .q = q,
                          .k = k,
                          .v = v,
                          .mask = mask,
                          .key_lengths = key_lengths,
                          .log_sum_exp = takes_log_sum_exp ? &log_sum_exp : nullptr});
  }
};

TEST(AttentionSite, ACallIsWhatItsSiteDeclares) {
  testing::PlainAttention attention;
  EXPECT_NO_THROW(Call().run(attention));
  const std::pair<const char*, std::function<void(Call&)>> faults[] = {
      {"the site has 3 layers", [](Call& c) { c.layer = kLayers; }},
      {"the site has 3 layers", [](Call& c) { c.layer = -1; }},
      {"four axes", [](Call& c) { c.q = c.q[0]; }},
      {"q is [2, 5, 2, 8]", [](Call& c) { c.q = c.k; }},
      {"k is [2, 5, 4, 8]", [](Call& c) { c.k = c.q; }},
      {"v is [2, 4, 2, 8]", [](Call& c) { c.v = c.v.narrow(1, 0, 4); }},
      {"v is [1, 5, 2, 8]", [](Call& c) { c.v = c.v.narrow(0, 0, 1); }},
      {"a boolean mask", [](Call& c) { c.mask = c.mask > 0; }},
      {"a bias", [](Call& c) { c.site.masks &= ~uint32_t{FV_MASK_BIAS}; }},
      {"does not broadcast", [](Call& c) { c.mask = c.mask.narrow(1, 0, 3); }},
      {"does not broadcast", [](Call& c) { c.mask = c.mask[0]; }},
      {"has key lengths", [](Call& c) { c.site.masks &= ~uint32_t{FV_MASK_KEY_LENGTHS}; }},
      {"not int32 [2]", [](Call& c) { c.key_lengths = c.key_lengths.to(at::kLong); }},
      {"not int32 [2]", [](Call& c) { c.key_lengths = c.key_lengths.narrow(0, 0, 1); }},
      {"with 4 queries and 5 keys",
       [](Call& c) {
         c.q = c.q.narrow(1, 0, 4);
         c.mask.reset();
       }},
      {"takes none", [](Call& c) { c.takes_log_sum_exp = false; }},
      {"asks for log-sum-exp", [](Call& c) { c.site.log_sum_exp = false; }},
  };
  for (const auto& [what, spoil] : faults) {
    Call call;
    spoil(call);
    try {
      call.run(attention);
      ADD_FAILURE() << "no complaint: " << what;
    } catch (const std::logic_error& e) {
      const std::string said = e.what();
      EXPECT_NE(said.find(what), std::string::npos) << said;
      EXPECT_NE(said.find("text.llama"), std::string::npos) << said;
    }
  }
}

// The formula, one row of scores at a time, in float64.
TEST(AttentionSite, MasksOfASiteAreTheFormulas) {
  testing::PlainAttention attention;
  Call call;
  const at::Tensor out = call.run(attention);
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t h = 0; h < 4; ++h)
      for (int64_t i = 0; i < kTokens; ++i) {
        const int64_t seen = std::min<int64_t>(i + 1, call.key_lengths[b].item<int>());
        const auto rows = [&](const at::Tensor& x) { return x[b].select(1, h / 2).narrow(0, 0, seen).to(at::kDouble); };
        const at::Tensor scores =
            at::mv(rows(call.k), call.q[b][i][h].to(at::kDouble)) * 0.3 + call.mask[b][h][i].narrow(0, 0, seen);
        const at::Tensor expected = at::mv(rows(call.v).t(), at::softmax(scores, 0));
        // float32 against float64: some units of its last place.
        EXPECT_TRUE(at::allclose(out[b][i][h].to(at::kDouble), expected, 1e-5, 1e-6)) << b << h << i;
        EXPECT_NEAR(call.log_sum_exp[b][h][i].item<double>(), scores.logsumexp(0).item<double>(), 1e-5);
      }
}

// Records the first head of each part.
class NotesHeads final : public Attention {
 public:
  at::Tensor run(const AttentionCall& call) override {
    first_heads.push_back(call.first_head);
    total_heads.push_back(call.site.total_heads);
    return inner_.run(call);
  }
  std::vector<int64_t> first_heads, total_heads;

 private:
  testing::PlainAttention inner_;
};

TEST(SplitHeads, HasTheBitsOfTheWhole) {
  for (const bool one_mask : {false, true}) {
    Call whole;
    if (one_mask) whole.mask = whole.mask.narrow(1, 0, 1);
    Call parts = whole;
    testing::PlainAttention exact;
    NotesHeads inner;
    SplitHeads split(inner, 2);
    EXPECT_TRUE(at::equal(whole.run(exact), parts.run(split)));
    EXPECT_TRUE(at::equal(whole.log_sum_exp, parts.log_sum_exp));
    EXPECT_EQ(inner.first_heads, (std::vector<int64_t>{0, 2}));
    EXPECT_EQ(inner.total_heads, (std::vector<int64_t>{4, 4}));
  }
}

TEST(SplitHeads, PartsArePartedAgain) {
  Call whole;
  whole.site.kv_heads = 4;
  whole.k = at::randn({kBatch, kTokens, 4, 8});
  whole.v = at::randn({kBatch, kTokens, 4, 8});
  Call parts = whole;
  testing::PlainAttention exact;
  NotesHeads inner;
  SplitHeads halves(inner, 2), quarters(halves, 2);
  EXPECT_TRUE(at::equal(whole.run(exact), parts.run(quarters)));
  EXPECT_EQ(inner.first_heads, (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(SplitHeads, HeadsThatCannotBePartedAreRefused) {
  EXPECT_THROW(head_part(site_of_all_kinds(), 4), std::invalid_argument);  // two heads of keys
  EXPECT_THROW(head_part(site_of_all_kinds(), 3), std::invalid_argument);
  EXPECT_THROW(head_part(site_of_all_kinds(), 0), std::invalid_argument);
}

}  // namespace
}  // namespace fastvideo
