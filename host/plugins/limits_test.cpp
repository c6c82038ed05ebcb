#include "host/plugins/limits.hpp"

#include <gtest/gtest.h>

namespace fastvideo::host {
namespace {

const DeviceFacts cpu{{FV_DEVICE_CPU, 0}, 0};
const DeviceFacts hopper{{FV_DEVICE_CUDA, 1}, 90};

fv_attention_site self_attention() {
  fv_attention_site site{};
  site.struct_size = sizeof(site);
  site.role = FV_ROLE_DIT_SELF;
  site.dtype = {FV_BFLOAT, 16, 1};
  site.head_size = 128;
  site.masks = FV_MASK_KEY_LENGTHS;
  return site;
}

std::string reason(const ItemLimits& limits, const fv_attention_site& site, const DeviceFacts& device = hopper) {
  return rule_out(limits, site, device).value_or("(allowed)");
}

TEST(RuleOut, NoLimitsAllowEverything) {
  EXPECT_EQ(reason({}, self_attention(), cpu), "(allowed)");
  EXPECT_EQ(reason({}, self_attention(), hopper), "(allowed)");
}

TEST(RuleOut, Devices) {
  ItemLimits limits;
  limits.devices = {{"cuda"}};
  EXPECT_EQ(rule_out(limits, cpu), "runs on cuda, not on cpu");
  EXPECT_EQ(rule_out(limits, hopper), std::nullopt);
  limits.devices = {{"cpu", "npu"}};
  EXPECT_EQ(rule_out(limits, hopper), "runs on cpu, npu, not on cuda");
}

TEST(RuleOut, Architectures) {
  ItemLimits limits;
  const auto on = [&](int architecture) {
    return rule_out(limits, {{FV_DEVICE_CUDA, 1}, architecture}).value_or("(allowed)");
  };
  limits.architectures = {{{90, false}}};
  EXPECT_EQ(on(90), "(allowed)");
  EXPECT_EQ(on(100), "needs sm90, cuda:1 is sm100");
  limits.architectures = {{{75, false}, {86, true}}};
  EXPECT_EQ(on(75), "(allowed)");
  EXPECT_EQ(on(80), "needs sm75, sm86+, cuda:1 is sm80");
  EXPECT_EQ(on(86), "(allowed)");
  EXPECT_EQ(on(120), "(allowed)");
  EXPECT_EQ(rule_out(limits, cpu), std::nullopt) << "a CPU has no architecture of CUDA's";
}

TEST(RuleOut, RolesDtypesHeadSizesMasks) {
  fv_attention_site site = self_attention();
  ItemLimits limits;
  limits.roles = {{"text.self", "vae.*"}};
  EXPECT_EQ(reason(limits, site), "serves text.self, vae.*, not dit.self");
  limits.roles = {{"dit.*"}};
  EXPECT_EQ(reason(limits, site), "(allowed)");
  limits.dtypes = {{"float32", "float16"}};
  EXPECT_EQ(reason(limits, site), "takes float32, float16, not bfloat16");
  limits.dtypes = {{"bfloat16"}};
  limits.head_sizes = HeadSizes{{64, 96}};
  EXPECT_EQ(reason(limits, site), "takes head sizes 64, 96, not 128");
  limits.head_sizes = HeadSizes{{}, 8, 256, 8};
  limits.masks = FV_MASK_BIAS;
  EXPECT_EQ(reason(limits, site), "takes no mask of kind key_lengths");
  limits.masks = FV_MASK_BIAS | FV_MASK_KEY_LENGTHS;
  EXPECT_EQ(reason(limits, site), "(allowed)");
  site.masks = 1u << 9;
  EXPECT_EQ(reason(limits, site), "takes no mask of kind unknown mask 512") << "of a later ABI";
}

TEST(Claims, GovernRoles) {
  Item item;
  item.claims = {"dit.self", "vae.*"};
  EXPECT_TRUE(claims_role(item, "dit.self"));
  EXPECT_TRUE(claims_role(item, "vae.mid"));
  EXPECT_FALSE(claims_role(item, "dit.cross"));
}

TEST(Names, ReadWell) {
  EXPECT_EQ(device_name({FV_DEVICE_CPU, 0}), "cpu");
  EXPECT_EQ(device_name({FV_DEVICE_CUDA, 3}), "cuda:3");
  EXPECT_EQ(device_name({10, 0}), "device type 10");
  EXPECT_EQ(dtype_name({FV_FLOAT, 16, 1}), "float16");
  EXPECT_EQ(dtype_name({FV_BFLOAT, 16, 1}), "bfloat16");
  EXPECT_EQ(dtype_name({FV_BOOL, 8, 1}), "bool");
  EXPECT_EQ(dtype_name({5, 64, 1}), "type code 5, 64 bits, 1 lanes");
  EXPECT_EQ(mask_names(0), "none");
  EXPECT_EQ(mask_names(FV_MASK_CAUSAL | FV_MASK_BIAS), "causal, bias");
  EXPECT_EQ(numerics_name(FV_NUMERICS_EXACT), "exact");
  EXPECT_EQ(numerics_name(FV_NUMERICS_REORDERED), "reordered");
  EXPECT_EQ(numerics_name(FV_NUMERICS_APPROXIMATE), "approximate");
  EXPECT_EQ(numerics_name(99), "unknown (99)");
}

}  // namespace
}  // namespace fastvideo::host
