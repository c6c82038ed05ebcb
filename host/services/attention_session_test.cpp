#include "host/services/attention_session.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fastvideo/core.hpp>

#include "host/config/test_files.hpp"
#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::flag;
using test::site;
using test::TestPlugins;

// The service, called as a pipeline does it.
struct OpenedSites {
  OpenedSites(const std::vector<Given>& given, const std::vector<fv_attention_site>& sites)
      : plugins(given),
        plans(*plugins.selector, {}),
        attention(plans),
        service(*attention.service()),
        bindings(sites.size()) {
    std::vector<const fv_attention_site*> pointers;
    pointers.reserve(sites.size());
    for (const fv_attention_site& one : sites) pointers.push_back(&one);
    status = service.open(service.context, pointers.data(), static_cast<uint32_t>(pointers.size()), bindings.data(),
                          &order, &order_count, &session, text.get());
  }
  ~OpenedSites() {
    if (session != nullptr) service.close(service.context, session);
  }

  TestPlugins plugins;
  SitePlans plans;
  AttentionService attention;
  const fv_attention_service& service;
  std::vector<const fv_attention_binding*> bindings;
  const int64_t* order = nullptr;
  int64_t order_count = 0;
  fv_attention_session* session = nullptr;
  fv_status status = FV_FAILED;
  TextBuffer text;
};

// One query that sees one key: the result is the value.
struct OneToken {
  std::array<float, 4> q{1, 2, 3, 4}, v{5, 6, 7, 8}, out{};
  int64_t shape[4] = {1, 1, 1, 4};
  int64_t strides[4] = {4, 4, 4, 1};
  fv_tensor tensor(std::array<float, 4>& data) {
    return {data.data(), {FV_DEVICE_CPU, 0}, 4, {FV_FLOAT, 32, 1}, shape, strides, 0};
  }
  fv_status run(const OpenedSites& opened, fv_text* error) {
    const fv_tensor q_tensor = tensor(q), v_tensor = tensor(v), out_tensor = tensor(out);
    fv_attention_args args{};
    args.struct_size = sizeof args;
    args.q = args.k = &q_tensor;
    args.v = &v_tensor;
    args.out = &out_tensor;
    args.layer = 3;
    return opened.service.run(opened.service.context, opened.bindings[0], &args, error);
  }
};

TEST(AttentionSession, PlansPreparesAndRuns) {
  OpenedSites opened({flag("attention.backend", "SWIFT")}, {site("dit.self")});
  ASSERT_EQ(opened.status, FV_OK) << opened.text.str();
  const fv_attention_binding& binding = *opened.bindings[0];
  EXPECT_STREQ(binding.backend, "SWIFT/cpu");
  EXPECT_EQ(binding.info->resident_bytes, 1024u);
  EXPECT_STREQ(binding.info->kernel, "swift_kernel");
  EXPECT_EQ(opened.order, nullptr);
  alignas(256) std::array<char, 1024> resident;
  ASSERT_EQ(opened.service.prepare(opened.service.context, &binding, resident.data(), nullptr, opened.text.get()),
            FV_OK);
  OneToken call;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(call.run(opened, opened.text.get()), FV_OK) << opened.text.str();
  EXPECT_EQ(call.out, call.v);
  opened.service.close(opened.service.context, opened.session);
  opened.session = nullptr;
  ASSERT_EQ(opened.attention.used().size(), 1u);
  EXPECT_EQ(opened.attention.used()[0].role, "dit.self");
  EXPECT_EQ(opened.attention.used()[0].backend, "SWIFT/cpu");
  EXPECT_EQ(opened.attention.used()[0].kernel, "swift_kernel");
  EXPECT_EQ(opened.attention.used()[0].calls, 3u);
}

TEST(AttentionSession, ErrorsCarryTheBackendsName) {
  const auto with_fault = [](const char* fault) {
    return std::vector<Given>{flag("attention.backend", "SWIFT"), flag("attention.SWIFT.fault", fault),
                              flag("attention.self_test", "off")};
  };
  const OpenedSites plan(with_fault("plan"), {site("dit.self")});
  EXPECT_EQ(plan.status, FV_FAILED);
  EXPECT_TRUE(contains(plan.text.str(), "\n  SWIFT/cpu    cannot be planned: plan broke"));
  const OpenedSites worse(with_fault("worse"), {site("dit.self")});
  EXPECT_EQ(worse.status, FV_FAILED);
  EXPECT_TRUE(contains(worse.text.str(),
                       "SWIFT/cpu    cannot be planned: its plan is approximate where it had promised reordered"));

  OpenedSites prepare(with_fault("prepare"), {site("dit.self")});
  ASSERT_EQ(prepare.status, FV_OK);
  EXPECT_EQ(prepare.service.prepare(prepare.service.context, prepare.bindings[0], nullptr, nullptr, prepare.text.get()),
            FV_FAILED);
  EXPECT_EQ(prepare.text.str(), "SWIFT/cpu at dit.self: prepare broke");

  OpenedSites run(with_fault("run"), {site("dit.self")});
  ASSERT_EQ(run.status, FV_OK);
  EXPECT_EQ(OneToken().run(run, run.text.get()), FV_FAILED);
  EXPECT_EQ(run.text.str(), "SWIFT/cpu at dit.self: run broke in layer 3");
  EXPECT_EQ(OneToken().run(run, nullptr), FV_FAILED);
}

TEST(AttentionSession, APlanThatIsNoneIsAFault) {
  fv_attention_site odd = site("dit.self");
  odd.layers = 77;  // makes SWIFT give a null plan and FV_OK
  const OpenedSites opened({flag("attention.backend", "SWIFT"), flag("attention.self_test", "off")}, {odd});
  EXPECT_EQ(opened.status, FV_FAILED);
  EXPECT_TRUE(contains(opened.text.str(), "SWIFT/cpu    cannot be planned: plan gave no plan and no error"));
}

TEST(AttentionSession, ASiteThatCannotBeServedIsRefusedWithTheTable) {
  const OpenedSites opened({flag("attention.backend", "SWIFT/picky")}, {site("dit.self")});
  EXPECT_EQ(opened.status, FV_REFUSED);
  EXPECT_TRUE(contains(opened.text.str(), "\n  SWIFT/picky  head size 7 only"));
}

TEST(AttentionSession, TheOrderOfTheVideoTokensIsThatOfThePlans) {
  const OpenedSites opened({flag("attention.backend", "TILED"), flag("attention.roles.dit.cross", "FORMULA")},
                           {site("dit.self"), site("dit.cross"), site("dit.joint")});
  ASSERT_EQ(opened.status, FV_OK) << opened.text.str();  // dit.joint is not claimed: the best exact one
  ASSERT_EQ(opened.order_count, 24);
  const OpenedSites both({flag("attention.roles.dit.self", "TILED"), flag("attention.roles.dit.joint", "TILED")},
                         {site("dit.self"), site("dit.joint")});
  ASSERT_EQ(both.status, FV_OK) << both.text.str();
  ASSERT_EQ(both.order_count, 24);
  for (int64_t i = 0; i < 24; ++i) EXPECT_EQ(both.order[i], 23 - i);
}

TEST(AttentionSession, OneWishAndNoWishAgree) {
  const OpenedSites opened({flag("attention.roles.dit.self", "TILED"), flag("attention.roles.dit.joint", "FORMULA")},
                           {site("dit.joint"), site("dit.self")});
  ASSERT_EQ(opened.status, FV_OK) << opened.text.str();
  EXPECT_EQ(opened.order_count, 24);
}

TEST(AttentionSession, TwoWishesThatDifferAreRefusedNamingBoth) {
  const OpenedSites opened(
      {flag("attention.roles.dit.self", "TILED/cpu"), flag("attention.roles.dit.joint", "TILED/other")},
      {site("dit.self"), site("dit.joint")});
  EXPECT_EQ(opened.status, FV_REFUSED);
  EXPECT_TRUE(contains(opened.text.str(),
                       "TILED/cpu at dit.self and TILED/other at dit.joint want the video tokens in "
                       "different orders (at position 0 token 23 and token 1)"));
}

TEST(AttentionSession, AWishForRasterOrderIsNoOrder) {
  const OpenedSites opened({flag("attention.backend", "TILED"), flag("attention.TILED.order", "raster")},
                           {site("dit.self")});
  ASSERT_EQ(opened.status, FV_OK);
  EXPECT_EQ(opened.order, nullptr);
  EXPECT_EQ(opened.order_count, 0);
}

TEST(AttentionSession, AnOrderThatIsNoneIsAFault) {
  for (const auto& [order, fault] : {std::pair{"twice", "position 23 holds 23 a second time"},
                                     std::pair{"outside", "position 23 holds 24, outside of 0..23"},
                                     std::pair{"short", "it has 23 entries for 24 tokens"}}) {
    const OpenedSites opened({flag("attention.backend", "TILED/cpu"), flag("attention.TILED.order", order)},
                             {site("dit.self")});
    EXPECT_EQ(opened.status, FV_FAILED) << order;
    EXPECT_TRUE(contains(opened.text.str(), "TILED/cpu at dit.self asks for a token order that is none: "));
    EXPECT_TRUE(contains(opened.text.str(), std::string(order) == "twice" ? "a second time" : fault));
  }
  fv_attention_site no_grid = site("dit.self");
  no_grid.grid[0] = no_grid.grid[1] = no_grid.grid[2] = 0;
  const OpenedSites opened({flag("attention.backend", "TILED/cpu")}, {no_grid});
  EXPECT_EQ(opened.status, FV_FAILED);
  EXPECT_TRUE(contains(opened.text.str(), "asks for a token order where there is no grid of tokens"));
}

}  // namespace
}  // namespace fastvideo::host
