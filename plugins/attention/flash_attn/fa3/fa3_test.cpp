// FLASH_ATTN/fa3 with a library that registers the operator of FlashAttention-3 for the CPU. A process takes one such
// library, so each test that opens one runs in a process of its own (tests are run one by one).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fastvideo/torch.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "plugins/attention/common/tests/attention_library.hpp"

namespace fastvideo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

AttentionLibrary& plugin(const char* operators) {
  fv_entry option{};
  option.name = "fa3_library";
  option.value.type = FV_VALUE_STRING;
  option.value.as.string = operators;
  static AttentionLibrary library(FLASH_ATTN_FA3_LIBRARY, {&option, operators != nullptr ? 1U : 0U});
  return library;
}

std::string refusal(const char* operators) {
  try {
    plugin(operators);
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "opened";
}

struct Problem {
  at::Tensor q, k, v, out, log_sum_exp, key_lengths;

  fv_attention_site site() const {
    fv_attention_site site{};
    site.struct_size = sizeof(site);
    site.masks = key_lengths.defined() ? FV_MASK_KEY_LENGTHS : 0;
    site.require = FV_REQUIRE_LOG_SUM_EXP;
    site.role = FV_ROLE_DIT_SELF;
    site.device = {FV_DEVICE_CPU, 0};
    site.dtype = to_dtype(q.scalar_type());
    site.head_size = static_cast<int32_t>(q.size(3));
    site.query_heads = site.total_heads = static_cast<int32_t>(q.size(2));
    site.kv_heads = static_cast<int32_t>(k.size(2));
    site.layers = 1;
    site.batch = q.size(0);
    site.query_length = q.size(1);
    site.key_length = k.size(1);
    site.scale = 0.3;
    return site;
  }
};

Problem random_problem(int64_t keys, at::ScalarType dtype) {
  const auto normal = [&](at::IntArrayRef shape) { return at::randn(shape, at::kDouble).to(dtype); };
  Problem p;
  p.q = normal({3, 4, 5, 16}).transpose(1, 2);  // heads first
  p.k = normal({3, keys, 2, 16});
  p.v = normal({3, keys, 3, 2, 16}).select(2, 1);  // packed
  p.out = at::full({3, 5, 6, 16}, NAN, dtype).narrow(2, 1, 4);
  p.log_sum_exp = at::full({3, 4, 5}, NAN);
  return p;
}

fv_status run(AttentionLibrary& library, const Problem& p) {
  const LentTensor q(p.q), k(p.k), v(p.v), out(p.out), log_sum_exp(p.log_sum_exp);
  std::optional<LentTensor> lengths;
  if (p.key_lengths.defined()) lengths.emplace(p.key_lengths);
  fv_attention_args args{};
  args.q = q.get();
  args.k = k.get();
  args.v = v.get();
  args.out = out.get();
  args.log_sum_exp = log_sum_exp.get();
  args.key_lengths = lengths ? lengths->get() : nullptr;
  return library.run(p.site(), args);
}

// The stand-in sums in float64: the only error is one rounding to the output's type.
void expect_formula(const Problem& p) {
  for (int64_t b = 0; b < 3; ++b) {
    const int64_t count = p.key_lengths.defined() ? p.key_lengths[b].item<int64_t>() : p.k.size(1);
    if (count == 0) {
      EXPECT_TRUE(p.out[b].eq(0).all().item<bool>());
      EXPECT_TRUE(p.log_sum_exp[b].eq(-kInfinity).all().item<bool>());
      continue;
    }
    for (int64_t h = 0; h < 4; ++h) {
      const auto row = [&](const at::Tensor& t, int64_t head) { return t[b].select(1, head).to(at::kDouble); };
      const at::Tensor scores = row(p.q, h).matmul(row(p.k, h / 2).slice(0, 0, count).t()) * 0.3;
      const at::Tensor expected = scores.softmax(-1).matmul(row(p.v, h / 2).slice(0, 0, count));
      EXPECT_LT((row(p.out, h) - expected).norm().item<double>(),
                (p.q.scalar_type() == at::kHalf ? 0x1p-11 : 0x1p-8) * expected.norm().item<double>());
      EXPECT_TRUE(at::allclose(p.log_sum_exp[b][h].to(at::kDouble), scores.logsumexp(-1), 1e-6, 1e-6));
    }
  }
}

void expect_everything(AttentionLibrary& library) {
  at::manual_seed(1);
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    Problem p = random_problem(9, dtype);
    ASSERT_EQ(run(library, p), FV_OK) << library.message();
    expect_formula(p);
    p = random_problem(9, dtype);
    p.key_lengths = at::tensor({9, 0, 4}, at::kInt);
    p.k[2].slice(0, 4).fill_(NAN);
    p.v[2].slice(0, 4).fill_(NAN);
    ASSERT_EQ(run(library, p), FV_OK) << library.message();
    expect_formula(p);
    p = random_problem(0, dtype);
    p.key_lengths = at::tensor({0, 0, 0}, at::kInt);
    ASSERT_EQ(run(library, p), FV_OK) << library.message();
    expect_formula(p);
  }
}

TEST(FlashAttnFa3, CallsTheInstalledOperator) {
  AttentionLibrary& library = plugin(FA3_STAND_IN);
  expect_everything(library);
  Problem p = random_problem(9, at::kHalf);
  EXPECT_TRUE(library.supports(p.site()));
  EXPECT_EQ(library.message(), "the installed FlashAttention-3");
  fv_attention_site site = p.site();
  site.require |= FV_REQUIRE_CAPTURE;
  EXPECT_FALSE(library.supports(site));
  EXPECT_NE(library.message().find("captured"), std::string::npos);
  site = p.site();
  site.head_size = 12;
  EXPECT_FALSE(library.supports(site));
  EXPECT_EQ(library.message(), "head sizes from 8 to 256 in multiples of 8, not 12");
  site = p.site();
  site.device = {FV_DEVICE_CUDA, 0};  // libtorch_cuda.so is not open here
  EXPECT_FALSE(library.supports(site));
  EXPECT_EQ(library.message(), "LibTorch finds no CUDA device");
}

TEST(FlashAttnFa3, OpensALibraryThatMentionsPython) { expect_everything(plugin(FA3_STAND_IN_PYTHON)); }

TEST(FlashAttnFa3, TakesAnOlderSchemaWithoutDefaults) { expect_everything(plugin(FA3_STAND_IN_OLDER)); }

TEST(FlashAttnFa3, ASchemaWithSomethingUnknownIsRefused) {
  const std::string text = refusal(FA3_STAND_IN_UNKNOWN);
  EXPECT_EQ(text.find(FA3_STAND_IN_UNKNOWN), 0U) << text;
  EXPECT_NE(text.find("flash_attn_3::fwd needs temperature (float), which is unknown here; install a FlashAttention-3"),
            std::string::npos)
      << text;
}

TEST(FlashAttnFa3, ASchemaOfOtherTypesIsRefused) {
  const std::string text = refusal(FA3_STAND_IN_OTHER_TYPE);
  EXPECT_NE(text.find("takes seqused_k as int[] where Tensor? was expected"), std::string::npos) << text;
}

TEST(FlashAttnFa3, ASchemaWithoutLengthsIsRefused) {
  const std::string text = refusal(FA3_STAND_IN_WITHOUT);
  EXPECT_NE(text.find("takes no seqused_k"), std::string::npos) << text;
}

TEST(FlashAttnFa3, ALibraryWithoutTheOperatorIsRefused) {
  EXPECT_NE(refusal(FA3_EMPTY).find("registers no operator flash_attn_3::fwd"), std::string::npos);
}

TEST(FlashAttnFa3, AFileThatIsNoLibraryIsRefused) {
  const auto file = std::filesystem::temp_directory_path() / "flash_attn_3_C.so";
  std::ofstream(file) << "no library";
  EXPECT_NE(refusal(file.c_str()).find("cannot be opened: "), std::string::npos);
  std::filesystem::remove(file);
}

TEST(FlashAttnFa3, ASecondLibraryIsRefused) {
  plugin(FA3_STAND_IN);
  fv_entry option{};
  option.name = "fa3_library";
  option.value.type = FV_VALUE_STRING;
  option.value.as.string = FA3_STAND_IN_PYTHON;
  try {
    const AttentionLibrary second(FLASH_ATTN_FA3_LIBRARY, {&option, 1});
    FAIL() << "opened";
  } catch (const std::runtime_error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("are registered already, by "), std::string::npos) << text;
  }
}

TEST(FlashAttnFa3, SaysThatNothingIsInstalled) {
  AttentionLibrary& library = plugin(nullptr);
  EXPECT_FALSE(library.supports(random_problem(9, at::kHalf).site()));
  EXPECT_EQ(library.message(), "FlashAttention-3 is not installed: option fa3_library names no file");
}

}  // namespace
}  // namespace fastvideo
