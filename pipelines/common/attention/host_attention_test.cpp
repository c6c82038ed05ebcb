// Sites and calls on their way through the ABI.
#include "pipelines/common/attention/host_attention.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "pipelines/common/attention/split_heads.hpp"
#include "pipelines/common/testing/attention_service.hpp"
#include "pipelines/common/testing/plain_attention.hpp"

namespace fastvideo {
namespace {

AttentionSite llama() {
  return {.name = "text.llama",
          .role = FV_ROLE_TEXT_SELF,
          .layers = 2,
          .heads = 4,
          .kv_heads = 2,
          .head_size = 16,
          .scale = 0.25,
          .masks = FV_MASK_CAUSAL | FV_MASK_KEY_LENGTHS,
          .log_sum_exp = true};
}

AttentionSite clip() {
  return {.name = "text.clip",
          .role = FV_ROLE_TEXT_SELF,
          .layers = 1,
          .heads = 2,
          .kv_heads = 2,
          .head_size = 8,
          .scale = 0.5,
          .masks = FV_MASK_BOOLEAN};
}

PlannedSite planned(const AttentionSite& site) {
  PlannedSite made{site, at::kCPU, at::kFloat, 6, 6};
  made.batch = 2;
  return made;
}

at::Tensor tokens(const AttentionSite& site, int64_t length = 6, int64_t batch = 2) {
  return at::randn({batch, length, site.heads, site.head_size});
}

at::Tensor run_clip(Attention& attention, const AttentionSite& site, int64_t length = 6, int64_t batch = 2,
                    at::ScalarType dtype = at::kFloat) {
  const at::Tensor x = tokens(site, length, batch).to(dtype);
  return attention.run({.site = site, .layer = 0, .q = x, .k = x, .v = x});
}

template <class Body>
std::string complaint(Body&& body) {
  try {
    body();
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return {};
}

TEST(HostAttention, TwoSitesOfOneRoleHaveTheirOwnPlans) {
  testing::AttentionServiceForTests service;
  HostAttention attention(service.host(), {planned(llama()), planned(clip())}, at::kCPU);
  ASSERT_EQ(service.sites().size(), 2u);
  const fv_attention_site& first = service.sites()[0]->site->get();
  EXPECT_EQ(first.masks, uint32_t{FV_MASK_CAUSAL | FV_MASK_KEY_LENGTHS});
  EXPECT_EQ(first.require, uint64_t{FV_REQUIRE_LOG_SUM_EXP});
  EXPECT_EQ(first.scale, 0.25);
  EXPECT_EQ(first.kv_heads, 2);
  EXPECT_EQ(service.sites()[1]->site->get().scale, 0.5);

  testing::PlainAttention exact;
  const AttentionSite a = llama(), b = clip();
  const at::Tensor q = tokens(a), k = at::randn({2, 6, 2, 16}), v = at::randn({2, 6, 2, 16});
  const at::Tensor lengths = at::tensor({6, 4}, at::kInt);
  at::Tensor log_sum_exp, expected_log_sum_exp;
  const auto call = [&](at::Tensor& lse) {
    return AttentionCall{.site = a, .layer = 1, .q = q, .k = k, .v = v, .key_lengths = lengths, .log_sum_exp = &lse};
  };
  EXPECT_TRUE(at::equal(attention.run(call(log_sum_exp)), exact.run(call(expected_log_sum_exp))));
  EXPECT_TRUE(at::equal(log_sum_exp, expected_log_sum_exp));

  const at::Tensor x = tokens(b), seen = at::rand({1, 1, 6, 6}) > 0.3;
  const AttentionCall masked{.site = b, .layer = 0, .q = x, .k = x, .v = x, .mask = seen.logical_or(at::eye(6) > 0)};
  EXPECT_TRUE(at::equal(attention.run(masked), exact.run(masked)));

  ASSERT_EQ(service.sites()[0]->calls.size(), 1u);
  ASSERT_EQ(service.sites()[1]->calls.size(), 1u);
  EXPECT_EQ(service.sites()[0]->calls[0].masks, uint32_t{FV_MASK_KEY_LENGTHS});
  EXPECT_TRUE(service.sites()[0]->calls[0].log_sum_exp);
  EXPECT_EQ(service.sites()[0]->calls[0].layer, 1);
  EXPECT_EQ(service.sites()[1]->calls[0].masks, uint32_t{FV_MASK_BOOLEAN});
  EXPECT_EQ(attention.backend("text.clip"), "TEST/exact");
}

TEST(HostAttention, ACallThatWasNotPlannedIsALogicError) {
  testing::AttentionServiceForTests service;
  HostAttention attention(service.host(), {planned(clip())}, at::kCPU);
  const AttentionSite good = clip();
  EXPECT_NO_THROW(run_clip(attention, good, 5, 1));
  EXPECT_NE(complaint([&] { run_clip(attention, good, 7); }).find("7 queries, and the run has planned 6"),
            std::string::npos);
  EXPECT_NE(complaint([&] { run_clip(attention, good, 6, 3); }).find("3 rows"), std::string::npos);
  EXPECT_NE(complaint([&] { run_clip(attention, good, 6, 2, at::kDouble); }).find("of Double"), std::string::npos);
  AttentionSite other = clip();
  other.scale = 0.4;
  EXPECT_NE(complaint([&] { run_clip(attention, other); }).find("the site with others"), std::string::npos);
  other.name = "text.t5";
  EXPECT_NE(complaint([&] { run_clip(attention, other); }).find("text.t5, which the run has not planned"),
            std::string::npos);
  EXPECT_NE(complaint([&] {
              HostAttention(service.host(), {planned(clip()), planned(clip())}, at::kCPU);
            }).find("two attention sites of the name text.clip"),
            std::string::npos);
  EXPECT_EQ(service.sites()[0]->calls.size(), 1u);
}

TEST(HostAttention, EveryRowOfAStepHasABranch) {
  testing::AttentionServiceForTests service;
  HostAttention attention(service.host(), {planned(clip())}, at::kCPU);
  const AttentionSite site = clip();
  run_clip(attention, site);
  attention.set_point({3, 20, 0.5, 0, {0, 1}});
  run_clip(attention, site);
  EXPECT_NE(complaint([&] { run_clip(attention, site, 6, 1); }).find("1 rows, where the step has 2 branches"),
            std::string::npos);
  const std::vector<testing::ServedCall>& calls = service.sites()[0]->calls;
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_TRUE(calls[0].branches.empty());
  EXPECT_EQ(calls[0].step, -1);
  EXPECT_EQ(calls[1].branches, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(calls[1].step, 3);
}

TEST(HostAttention, ServesPartsOfTheHeads) {
  testing::AttentionServiceForTests service;
  const AttentionSite whole = llama();
  HostAttention attention(service.host(), {planned(head_part(whole, 2))}, at::kCPU);
  EXPECT_EQ(service.sites()[0]->site->get().query_heads, 2);
  EXPECT_EQ(service.sites()[0]->site->get().total_heads, 4);
  SplitHeads split(attention, 2);
  testing::PlainAttention exact;
  const at::Tensor q = tokens(whole), k = at::randn({2, 6, 2, 16}), v = at::randn({2, 6, 2, 16});
  at::Tensor log_sum_exp, expected;
  const auto call = [&](at::Tensor& lse) {
    return AttentionCall{.site = whole, .layer = 0, .q = q, .k = k, .v = v, .log_sum_exp = &lse};
  };
  EXPECT_TRUE(at::equal(split.run(call(log_sum_exp)), exact.run(call(expected))));
  EXPECT_TRUE(at::equal(log_sum_exp, expected));
  ASSERT_EQ(service.sites()[0]->calls.size(), 2u);
  EXPECT_EQ(service.sites()[0]->calls[1].first_head, 2);
}

}  // namespace
}  // namespace fastvideo
