// Attention backends on CUDA, each through its library and the ABI, against the formula in float64 on the same GPU.
// FASTVIDEO_TEST_PLUGINS names another folder of plugins than that of the build.
#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fastvideo/torch.hpp>
#include <filesystem>
#include <limits>
#include <memory>
#include <random>

#include "plugins/attention/common/tests/attention_library.hpp"

namespace fastvideo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kLengths[] = {1, 7, 63, 64, 127, 128, 129, 176, 1000, 4096, 32760};
constexpr int64_t kRowsAtOnce = 4096;  // of the formula: 1 GB of scores at most

// As the host does on a CUDA run: libtorch_cuda.so is opened before anything asks LibTorch for CUDA.
bool cuda_is_here() {
  static const bool here = [] {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&at::globalContext), &info) == 0) return false;
    const auto library = std::filesystem::canonical(info.dli_fname).parent_path() / "libtorch_cuda.so";
    return dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr && at::hasCUDA();
  }();
  return here;
}

// A backend as it is forced: its library below the plugins' folder, and one option of it.
struct Subject {
  const char* name;
  const char* library;
  const char* option = nullptr;
  const char* value = nullptr;
  bool repeats_its_bits = true;  // the same input gives the same bits
  bool takes_all_lengths = true;
};

constexpr Subject kCudnn{"cudnn", "torch_sdpa/libtorch_sdpa.so", "kernel", "cudnn", false, false};

std::filesystem::path library_of(const Subject& subject) {
  const char* folder = std::getenv("FASTVIDEO_TEST_PLUGINS");
  return std::filesystem::path(folder != nullptr ? folder : FASTVIDEO_PLUGINS) / subject.library;
}

std::unique_ptr<AttentionLibrary> opened(const Subject& subject) {
  fv_entry option{};
  option.name = subject.option;
  option.value.type = FV_VALUE_STRING;
  option.value.as.string = subject.value;
  return std::make_unique<AttentionLibrary>(library_of(subject).c_str(),
                                            std::span(&option, subject.option != nullptr ? 1U : 0U));
}

enum class Layout { tokens, heads_first, packed };

// A random [B, L, H, D] as models hand it over.
at::Tensor normal(int64_t batch, int64_t length, int64_t heads, int64_t size, at::ScalarType dtype, Layout layout,
                  double deviation = 1) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(at::kCUDA);
  const auto draw = [&](at::IntArrayRef shape) { return (at::randn(shape, options) * deviation).to(dtype); };
  if (layout == Layout::heads_first) return draw({batch, heads, length, size}).transpose(1, 2);
  if (layout == Layout::packed) return draw({batch, length, 3, heads, size}).select(2, 1);
  return draw({batch, length, heads, size});
}

struct Problem {
  at::Tensor q, k, v;
  std::vector<int32_t> lengths = {};  // empty: all keys
  bool log_sum_exp = false;
  double scale = 0;
  Layout layout = Layout::tokens;  // of the output

  fv_attention_site site() const {
    fv_attention_site site{};
    site.struct_size = sizeof(site);
    site.masks = lengths.empty() ? 0 : FV_MASK_KEY_LENGTHS;
    site.require = log_sum_exp ? FV_REQUIRE_LOG_SUM_EXP : 0;
    site.role = FV_ROLE_DIT_SELF;
    site.device = {FV_DEVICE_CUDA, 0};
    site.dtype = to_dtype(q.scalar_type());
    site.head_size = static_cast<int32_t>(q.size(3));
    site.query_heads = site.total_heads = static_cast<int32_t>(q.size(2));
    site.kv_heads = static_cast<int32_t>(k.size(2));
    site.layers = 1;
    site.batch = q.size(0);
    site.query_length = q.size(1);
    site.key_length = k.size(1);
    site.scale = scale;
    return site;
  }
  std::string text() const {
    std::string text = "q " + c10::str(q.sizes()) + ", k " + c10::str(k.sizes()) + ", scale " + std::to_string(scale);
    for (const int32_t length : lengths) text += " " + std::to_string(length);
    return text;
  }
};

Problem problem(std::mt19937& random, int64_t queries, int64_t keys, int64_t size, at::ScalarType dtype,
                int64_t batch = 1, int64_t kv_heads = 2, int64_t group = 1, double deviation = 1) {
  const Layout layout = std::array{Layout::tokens, Layout::heads_first, Layout::packed}[random() % 3];
  Problem p;
  p.q = normal(batch, queries, kv_heads * group, size, dtype, layout, deviation);
  p.k = normal(batch, keys, kv_heads, size, dtype, layout, deviation);
  p.v = normal(batch, keys, kv_heads, size, dtype, layout);
  p.scale = 1 / std::sqrt(static_cast<double>(size));
  p.layout = layout;
  return p;
}

struct Result {
  at::Tensor out, log_sum_exp;
};

// softmax(scale q k^T) v in float64 (Vaswani et al. 2017, equation 1); zeros and minus infinity where there are no
// keys.
Result formula(const Problem& p) {
  const auto options = at::TensorOptions().dtype(at::kDouble).device(at::kCUDA);
  Result result{at::zeros(p.q.sizes(), options),
                at::full({p.q.size(0), p.q.size(2), p.q.size(1)}, -kInfinity, options)};
  const int64_t group = p.q.size(2) / p.k.size(2);
  for (int64_t b = 0; b < p.q.size(0); ++b) {
    const int64_t keys = p.lengths.empty() ? p.k.size(1) : p.lengths[static_cast<size_t>(b)];
    if (keys == 0) continue;
    for (int64_t h = 0; h < p.q.size(2); ++h) {
      const auto row = [&](const at::Tensor& t, int64_t head) { return t[b].select(1, head).to(at::kDouble); };
      const at::Tensor k = row(p.k, h / group).slice(0, 0, keys), v = row(p.v, h / group).slice(0, 0, keys);
      for (int64_t first = 0; first < p.q.size(1); first += kRowsAtOnce) {
        const auto rows = [&](const at::Tensor& t) { return t.slice(0, first, first + kRowsAtOnce); };
        const at::Tensor scores = rows(row(p.q, h)).matmul(k.t()) * p.scale;
        rows(result.out[b].select(1, h)).copy_(scores.softmax(-1).matmul(v));
        rows(result.log_sum_exp[b][h]).copy_(scores.logsumexp(-1));
      }
    }
  }
  return result;
}

double relative_error(const Result& got, const Result& expected) {
  const double norm = expected.out.norm().item<double>();
  return (got.out.to(at::kDouble) - expected.out).norm().item<double>() / std::max(norm, 1e-30);
}

class Gpu : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    if (!cuda_is_here()) GTEST_SKIP() << "no CUDA device";
    if (!std::filesystem::exists(library_of(GetParam()))) GTEST_SKIP() << library_of(GetParam()) << " was not built";
    at::manual_seed(1);
    library_ = opened(GetParam());
  }

  bool takes(const Problem& p) { return library_->supports(p.site()); }

  Result run(const Problem& p) { return run(*library_, p); }

  static Result run(AttentionLibrary& library, const Problem& p) {
    AttentionLibrary::Plan plan = library.plan(p.site());
    EXPECT_EQ(plan.status(), FV_OK) << library.message();
    Result result;
    // NaN everywhere, so that what is not written shows.
    result.out = normal(p.q.size(0), p.q.size(1), p.q.size(2), p.q.size(3), p.q.scalar_type(), p.layout).fill_(NAN);
    const auto options = at::TensorOptions().device(at::kCUDA);
    if (p.log_sum_exp)
      result.log_sum_exp = at::full({p.q.size(0), p.q.size(2), p.q.size(1)}, NAN, options.dtype(at::kFloat));
    const LentTensor q(p.q), k(p.k), v(p.v), out(result.out);
    std::optional<LentTensor> lengths, log_sum_exp;
    if (!p.lengths.empty()) lengths.emplace(at::tensor(p.lengths, at::kInt).to(at::kCUDA));
    if (p.log_sum_exp) log_sum_exp.emplace(result.log_sum_exp);
    fv_attention_args args{};
    args.q = q.get();
    args.k = k.get();
    args.v = v.get();
    args.out = out.get();
    args.key_lengths = lengths ? lengths->get() : nullptr;
    args.log_sum_exp = log_sum_exp ? log_sum_exp->get() : nullptr;
    args.stream = current_stream(p.q.device());
    args.step = -1;
    const at::Tensor scratch =
        at::empty({static_cast<int64_t>(plan.info().scratch_bytes) + 1}, options.dtype(at::kByte));
    EXPECT_EQ(plan.run(args, scratch.data_ptr()), FV_OK) << library.message();
    c10::impl::VirtualGuardImpl(at::kCUDA).synchronizeDevice(0);
    return result;
  }

  void expect_formula(const Problem& p) {
    const Result expected = formula(p), got = run(p);
    const double error = relative_error(got, expected);
    // Half a unit in the last place of the output, 2^-9 and 2^-12 at most, and as much again for weights that kernels
    // round to that type before the second product; the rest is for long sums in float32.
    EXPECT_LT(error, p.q.scalar_type() == at::kBFloat16 ? 6e-3 : 8e-4) << p.text();
    worst_[p.q.scalar_type()] = std::max(worst_[p.q.scalar_type()], error);
    if (GetParam().repeats_its_bits) {
      EXPECT_TRUE(at::equal(got.out, run(p).out)) << p.text();
    }
    if (!p.log_sum_exp) return;
    const at::Tensor finite = expected.log_sum_exp.isfinite();
    EXPECT_TRUE(
        at::equal(got.log_sum_exp.to(at::kDouble).masked_fill(finite, 0), expected.log_sum_exp.masked_fill(finite, 0)))
        << "rows without keys: " << p.text();
    // Kernels work in base 2 with exponentials that err by 2^-22, and float32 rounds a score of s by s 2^-24.
    const at::Tensor bound = 4e-6 + 1e-6 * expected.log_sum_exp.abs();
    const at::Tensor off = (got.log_sum_exp.to(at::kDouble) - expected.log_sum_exp).abs() > bound;
    EXPECT_FALSE(off.logical_and(finite).any().item<bool>()) << "log-sum-exp: " << p.text();
  }

  void TearDown() override {
    for (const auto& [dtype, error] : worst_)
      std::printf("%s %s: relative error %.2e at most\n", GetParam().name, at::toString(dtype), error);
  }

  std::unique_ptr<AttentionLibrary> library_;
  std::map<at::ScalarType, double> worst_;
};

TEST_P(Gpu, IsTheFormulaAtEveryLength) {
  std::mt19937 random(2);
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf})
    for (const int64_t size : {64, 128})
      for (const int64_t queries : kLengths)
        for (const int64_t keys :
             {kLengths[random() % std::size(kLengths)], kLengths[random() % std::size(kLengths)]}) {
          const Problem p = problem(random, queries, keys, size, dtype, 1 + static_cast<int64_t>(random() % 2),
                                    1 + static_cast<int64_t>(random() % 2), 1 + static_cast<int64_t>(random() % 3));
          if (takes(p))
            expect_formula(p);
          else
            EXPECT_FALSE(GetParam().takes_all_lengths) << p.text() << ": " << library_->message();
        }
}

TEST_P(Gpu, TakesOtherHeadSizesOrSaysNo) {
  std::mt19937 random(3);
  for (const int64_t size : {8, 32, 72, 80, 96, 160, 192, 256}) {
    const Problem p = problem(random, 130, 200, size, at::kBFloat16);
    if (takes(p))
      expect_formula(p);
    else
      EXPECT_NE(library_->message(), "") << p.text();
  }
}

TEST_P(Gpu, HoldsUnderAnyScaleAndLargeScores) {
  std::mt19937 random(4);
  for (const auto& [scale, deviation] : {std::pair{0.02, 1.0}, {1.0, 1.0}, {0.125, 4.0}, {0.0884, 30.0}}) {
    Problem p = problem(random, 300, 500, 128, at::kBFloat16, 1, 2, 1, deviation);
    p.scale = scale;
    expect_formula(p);
  }
}

// From even weights to one key that outweighs all others.
TEST_P(Gpu, ErrsAtMostAFifthMoreThanCudnn) {
  if (!std::filesystem::exists(library_of(kCudnn))) GTEST_SKIP() << "TORCH_SDPA was not built";
  const auto rival = opened(kCudnn);
  std::mt19937 random(8);
  double worst = 0;
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf})
    for (const int64_t size : {64, 128})
      for (const double deviation : {0.5, 1.0, 2.0, 4.0}) {
        const Problem p = problem(random, 1000, 2000, size, dtype, 1, 4, 1, deviation);
        if (!rival->supports(p.site())) GTEST_SKIP() << rival->message();
        const Result expected = formula(p);
        const double ratio = relative_error(run(p), expected) / relative_error(run(*rival, p), expected);
        EXPECT_LE(ratio, 1.2) << p.text() << ", deviation " << deviation;
        worst = std::max(worst, ratio);
      }
  std::printf("%s: %.3f times cuDNN's error at most\n", GetParam().name, worst);
}

TEST_P(Gpu, SeesNoKeyBehindARowsLength) {
  std::mt19937 random(5);
  for (const int64_t size : {64, 128})
    for (const int64_t queries : {1, 129}) {
      Problem p = problem(random, queries, 400, size, at::kBFloat16, 4, 2, 2);
      p.lengths = {400, 0, 131, 1};
      if (!takes(p)) GTEST_SKIP() << library_->message();
      expect_formula(p);
    }
}

TEST_P(Gpu, GivesTheLogSumExp) {
  std::mt19937 random(6);
  for (const bool ragged : {false, true})
    for (const int64_t queries : {1, 64, 177})
      for (const int64_t group : {1, 3}) {
        Problem p = problem(random, queries, 300, 128, at::kBFloat16, 3, 2, group);
        if (ragged) p.lengths = {300, 0, 17};
        p.log_sum_exp = true;
        if (!takes(p)) GTEST_SKIP() << library_->message();
        expect_formula(p);
      }
}

// Whoever takes a site that requires capture must say in its plan that it can be captured.
TEST_P(Gpu, CanBeCapturedIfItSaysSo) {
  std::mt19937 random(7);
  const Problem p = problem(random, 100, 100, 128, at::kBFloat16);
  fv_attention_site site = p.site();
  site.require = FV_REQUIRE_CAPTURE;
  if (!library_->supports(site)) {
    EXPECT_NE(library_->message(), "");
    EXPECT_EQ(library_->plan(p.site()).info().can_capture, 0U);
    return;
  }
  const AttentionLibrary::Plan plan = library_->plan(site);
  ASSERT_EQ(plan.status(), FV_OK) << library_->message();
  EXPECT_EQ(plan.info().can_capture, 1U);
}

INSTANTIATE_TEST_SUITE_P(Backends, Gpu,
                         testing::Values(Subject{"sm90", "flash_attn/libflash_attn_sm90.so", "tile", "auto"},
                                         Subject{"fa2", "flash_attn/libflash_attn_fa2.so"},
                                         Subject{"torch", "torch_sdpa/libtorch_sdpa.so", "kernel", "auto", false},
                                         kCudnn),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace fastvideo
