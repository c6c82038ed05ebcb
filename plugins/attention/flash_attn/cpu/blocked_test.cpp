// FLASH_ATTN/cpu against the definition in float64, for every instruction set that this processor has, and through the
// ABI of the built library.
#include "plugins/attention/common/cpu/blocked.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fastvideo/plugin.hpp>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include "plugins/attention/common/cpu/half.hpp"
#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/site.hpp"

namespace fastvideo::cpu {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A tensor of its own memory, filled with bits that are NaN in every type until something writes it.
template <class T>
class Tensor {
 public:
  Tensor(fv_dtype dtype, std::vector<int64_t> shape, int64_t gap = 0) : shape_(std::move(shape)), strides_(shape_) {
    int64_t count = 1;
    for (size_t i = shape_.size(); i-- > 0; count *= shape_[i]) {
      if (i + 2 == shape_.size()) count += gap;  // rows stand apart
      strides_[i] = count;
    }
    data_.resize(count);
    std::memset(static_cast<void*>(data_.data()), 0xFF, count * sizeof(T));
    view_ = {data_.data(),
             {FV_DEVICE_CPU, 0},
             static_cast<int32_t>(shape_.size()),
             dtype,
             shape_.data(),
             strides_.data(),
             0};
  }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  template <class... Index>
  T& operator()(Index... index) {
    int64_t offset = 0;
    size_t i = 0;
    ((offset += shape_[i] == 1 ? 0 : static_cast<int64_t>(index) * strides_[i], ++i), ...);
    return data_[offset];
  }
  const fv_tensor* get() const { return &view_; }
  int64_t size(int i) const { return shape_[i]; }

  void fill_normal(std::mt19937& random, float deviation) {
    std::normal_distribution<float> normal(0, deviation);
    for (T& x : data_) x = from_float<T>(normal(random));
  }

 private:
  std::vector<int64_t> shape_, strides_;
  std::vector<T> data_;
  fv_tensor view_{};
};

struct Case {
  CallShape shape;
  double scale = 0.1;
  float deviation = 1;  // of q and k
  int64_t gap = 0;
  bool boolean_mask = false, bias = false;
  std::vector<int32_t> key_lengths = {};
};

// The definition, for one row; returns the log-sum-exp.
template <class T>
double reference_row(Tensor<T>& q, Tensor<T>& k, Tensor<T>& v, const Case& c, Tensor<uint8_t>* mask,
                     Tensor<float>* bias, int64_t b, int64_t i, int64_t h, std::vector<double>& out) {
  const CallShape& s = c.shape;
  const int64_t kv = h / (s.heads / s.kv_heads), keys = c.key_lengths.empty() ? s.keys : c.key_lengths[b];
  std::vector<double> score(keys);
  double top = -kInfinity, total = 0;
  std::vector<double> query(s.size);
  for (int64_t d = 0; d < s.size; ++d) query[d] = double{to_float(q(b, i, h, d))};
  for (int64_t j = 0; j < keys; ++j) {
    const T* key = &k(b, j, kv, 0);
    double x = 0;
    for (int64_t d = 0; d < s.size; ++d) x += query[d] * double{to_float(key[d])};
    score[j] = x * c.scale;
    if (mask != nullptr && (*mask)(b, h, i, j) == 0) score[j] = -kInfinity;
    if (bias != nullptr) score[j] += double{(*bias)(b, h, i, j)};
    top = std::max(top, score[j]);
  }
  out.assign(s.size, 0);
  if (top == -kInfinity) return -kInfinity;
  for (int64_t j = 0; j < keys; ++j) {
    const double p = std::exp(score[j] - top);
    total += p;
    const T* value = &v(b, j, kv, 0);
    for (int64_t d = 0; d < s.size; ++d) out[d] += p * double{to_float(value[d])};
  }
  for (double& x : out) x /= total;
  return top + std::log(total);
}

// Runs every kernel on a case and compares. Returns the largest relative error in the Euclidean norm.
template <class T>
double worst_error(fv_dtype dtype, const Case& c, unsigned seed = 1) {
  const CallShape& s = c.shape;
  std::mt19937 random(seed);
  Tensor<T> q(dtype, {s.batch, s.queries, s.heads, s.size}, c.gap);
  Tensor<T> k(dtype, {s.batch, s.keys, s.kv_heads, s.size}, c.gap), v(dtype, {s.batch, s.keys, s.kv_heads, s.size});
  q.fill_normal(random, c.deviation);
  k.fill_normal(random, c.deviation);
  v.fill_normal(random, 1);
  std::optional<Tensor<uint8_t>> mask;
  if (c.boolean_mask) {
    mask.emplace(kBool, std::vector<int64_t>{s.batch, 1, s.queries, s.keys});
    for (int64_t b = 0; b < s.batch; ++b)
      for (int64_t i = 0; i < s.queries; ++i)  // query 0 sees no key
        for (int64_t j = 0; j < s.keys; ++j) (*mask)(b, 0, i, j) = i > 0 && random() % 3 > 0;
  }
  std::optional<Tensor<float>> bias;
  if (c.bias) {
    bias.emplace(kFloat32, std::vector<int64_t>{1, s.heads, s.queries, s.keys});
    bias->fill_normal(random, 2);
  }
  std::optional<Tensor<int32_t>> lengths;
  if (!c.key_lengths.empty()) {
    lengths.emplace(kInt32, std::vector<int64_t>{s.batch});
    for (int64_t b = 0; b < s.batch; ++b) (*lengths)(b) = c.key_lengths[b];
    for (int64_t b = 0; b < s.batch; ++b)
      for (int64_t j = c.key_lengths[b]; j < s.keys; ++j)  // keys that do not exist may hold anything
        for (int64_t h = 0; h < s.kv_heads; ++h)
          for (int64_t d = 0; d < s.size; ++d)
            k(b, j, h, d) = v(b, j, h, d) = from_float<T>(std::numeric_limits<float>::quiet_NaN());
  }

  fv_attention_site site{};
  site.device = {FV_DEVICE_CPU, 0};
  site.dtype = dtype;
  site.head_size = static_cast<int32_t>(s.size);
  site.query_heads = static_cast<int32_t>(s.heads);
  site.kv_heads = static_cast<int32_t>(s.kv_heads);
  site.batch = s.batch;
  site.query_length = s.queries;
  site.key_length = s.keys;
  site.scale = c.scale;

  double worst = 0;
  for (const Kernels& kernels : kernels_for(dtype)) {
    Tensor<T> out(dtype, {s.batch, s.queries, s.heads, s.size}, c.gap);
    Tensor<float> log_sum_exp(kFloat32, {s.batch, s.heads, s.queries});
    fv_attention_args args{};
    args.q = q.get();
    args.k = k.get();
    args.v = v.get();
    args.out = out.get();
    args.mask = mask ? mask->get() : bias ? bias->get() : nullptr;
    args.key_lengths = lengths ? lengths->get() : nullptr;
    args.log_sum_exp = log_sum_exp.get();
    const Job job = make_job(site, args);
    std::vector<float> room(packed_bytes(s) / sizeof(float) + 16);
    void* start = room.data();
    size_t bytes = room.size() * sizeof(float);
    float* packed = static_cast<float*>(std::align(64, packed_bytes(s), start, bytes));
    for (int64_t b = 0; b < s.batch; ++b) {
      kernels.pack(job, b, packed, 0, pack_tasks(s));
      kernels.attend(job, b, packed, DenseTiles(s).get());
    }

    double difference = 0, norm = 0;
    std::vector<double> row;
    for (int64_t b = 0; b < s.batch; ++b)
      for (int64_t h = 0; h < s.heads; ++h)
        for (int64_t i = 0; i < s.queries; ++i) {
          const double expected =
              reference_row(q, k, v, c, mask ? &*mask : nullptr, bias ? &*bias : nullptr, b, i, h, row);
          const double got = double{log_sum_exp(b, h, i)};
          if (std::isinf(expected))
            EXPECT_EQ(got, expected) << kernels.instructions;
          else
            // A score is a float32 sum of at most 256 products: 16 roundings of 6e-8 when they add up at random.
            EXPECT_NEAR(got, expected, 1e-6 * (std::abs(expected) + 10)) << kernels.instructions;
          for (int64_t d = 0; d < s.size; ++d) {
            const double x = double{to_float(out(b, i, h, d))};
            difference += (x - row[d]) * (x - row[d]);
            norm += row[d] * row[d];
          }
        }
    worst = std::max(worst, norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm));
    if (std::isnan(difference)) return kInfinity;
  }
  return worst;
}

// float32: sums of up to a few hundred terms, each rounded by 6e-8. bfloat16 and float16: everything inside is float32,
// so the error is that of rounding the output once, at most 2^-9 and 2^-12 relative, on average 0.6 of that.
constexpr double kFloat32Bound = 1e-6, kBFloat16Bound = 0x1p-9, kFloat16Bound = 0x1p-12;

TEST(BlockedAttention, AgreesWithTheDefinitionForAnyLengths) {
  const int64_t lengths[] = {1, 7, 95, 96, 97, 127, 128, 129, 200};
  unsigned seed = 0;
  for (int64_t queries : lengths)
    for (int64_t keys : {lengths[++seed % 9], lengths[(seed * 5 + 3) % 9]})
      EXPECT_LT(worst_error<float>(kFloat32, {.shape = {1, queries, keys, 2, 2, 32}}, seed), kFloat32Bound)
          << queries << " x " << keys;
}

TEST(BlockedAttention, TakesAnyHeadSize) {
  for (int64_t size : {1, 8, 24, 40, 64, 72, 80, 96, 128, 256})
    EXPECT_LT(worst_error<float>(kFloat32, {.shape = {1, 33, 140, 1, 1, size}}), kFloat32Bound) << size;
}

TEST(BlockedAttention, HalfPrecisionRoundsOnlyTheOutput) {
  const Case c{.shape = {2, 100, 300, 4, 2, 64}, .gap = 8};
  EXPECT_LT(worst_error<BFloat16>(kBFloat16, c), kBFloat16Bound);
  EXPECT_LT(worst_error<Float16>(kFloat16, c), kFloat16Bound);
}

TEST(BlockedAttention, SharesKeyHeadsAndFollowsStridesAndKeyLengths) {
  const Case c{.shape = {3, 70, 260, 6, 2, 32}, .gap = 4, .key_lengths = {260, 131, 0}};
  EXPECT_LT(worst_error<float>(kFloat32, c), kFloat32Bound);
}

TEST(BlockedAttention, MasksAndBiases) {
  EXPECT_LT(worst_error<float>(kFloat32, {.shape = {2, 50, 200, 2, 2, 16}, .boolean_mask = true}), kFloat32Bound);
  EXPECT_LT(worst_error<float>(kFloat32, {.shape = {2, 50, 200, 2, 1, 16}, .bias = true}), kFloat32Bound);
}

// Scores of several thousand: exp without the maximum would overflow at 88. One key wins in most rows; a float32 score
// of 4,000 is known to 2.4e-4, which is the error of the probabilities where two keys are close.
TEST(BlockedAttention, LargeScoresDoNotOverflow) {
  EXPECT_LT(worst_error<float>(kFloat32, {.shape = {1, 64, 300, 1, 1, 64}, .scale = 10, .deviation = 6}), 1e-3);
}

TEST(BlockedAttention, PassesNanOn) {
  Tensor<float> q(kFloat32, {1, 1, 1, 8}), k(kFloat32, {1, 4, 1, 8}), v(kFloat32, {1, 4, 1, 8}),
      out(kFloat32, {1, 1, 1, 8});
  std::mt19937 random(3);
  for (Tensor<float>* t : {&q, &k, &v}) t->fill_normal(random, 1);
  q(0, 0, 0, 3) = std::numeric_limits<float>::quiet_NaN();
  Job job{};
  job.shape = {1, 1, 4, 1, 1, 8};
  job.q = q.get()->data;
  job.k = k.get()->data;
  job.v = v.get()->data;
  job.out = out.get()->data;
  job.q_strides = job.out_strides = {{8, 8, 8, 1}};
  job.k_strides = job.v_strides = {{32, 8, 8, 1}};
  job.scale = 1;
  for (const Kernels& kernels : kernels_for(kFloat32)) {
    alignas(64) static float packed[128 * 24];
    out.fill_normal(random, 1);
    kernels.pack(job, 0, packed, 0, 1);
    kernels.attend(job, 0, packed, DenseTiles(job.shape).get());
    EXPECT_TRUE(std::isnan(out(0, 0, 0, 0))) << kernels.instructions;
  }
}

TEST(Float16, EveryValueConvertsAsTheCompilersOwn) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Float16 half{static_cast<uint16_t>(bits)};
    const float expected = static_cast<float>(std::bit_cast<_Float16>(half.bits));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(to_float(half)));
    } else {
      ASSERT_EQ(to_float(half), expected);
      ASSERT_EQ(from_float<Float16>(expected).bits, half.bits);
    }
  }
  std::mt19937 random(5);
  for (int i = 0; i < 1000000; ++i) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isnan(x)) continue;
    ASSERT_EQ(from_float<Float16>(x).bits, std::bit_cast<uint16_t>(static_cast<_Float16>(x))) << x;
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(from_float<BFloat16>(1.0F + 0x1p-8F).bits, 0x3F80);  // a tie, to even
  EXPECT_EQ(from_float<BFloat16>(1.0F + 0x3p-8F).bits, 0x3F82);  // a tie, to even
  EXPECT_EQ(from_float<BFloat16>(1.0F + 0x1p-8F + 0x1p-20F).bits, 0x3F81);
  EXPECT_EQ(from_float<BFloat16>(std::numeric_limits<float>::max()).bits, 0x7F80);
  EXPECT_TRUE(std::isnan(to_float(from_float<BFloat16>(std::numeric_limits<float>::quiet_NaN()))));
}

// ---- Through the ABI

fv_attention_site small_site() { return self_site(FV_DEVICE_CPU, kFloat32, 4, 1, 8); }

TEST(FlashAttnCpuLibrary, RunsAndRefuses) {
  AttentionLibrary library(FLASH_ATTN_CPU_LIBRARY);
  fv_attention_site site = small_site();
  ASSERT_TRUE(library.supports(site));
  // One key: the output is its value, whatever the scores are.
  Tensor<float> q(kFloat32, {1, 3, 1, 8}), k(kFloat32, {1, 1, 1, 8}), v(kFloat32, {1, 1, 1, 8}),
      out(kFloat32, {1, 3, 1, 8});
  std::mt19937 random(7);
  for (Tensor<float>* t : {&q, &k, &v}) t->fill_normal(random, 1);
  fv_attention_args args{};
  args.struct_size = sizeof(args);
  args.q = q.get();
  args.k = k.get();
  args.v = v.get();
  args.out = out.get();
  ASSERT_EQ(library.run(site, args), FV_OK) << library.message();
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t d = 0; d < 8; ++d) EXPECT_FLOAT_EQ(out(0, i, 0, d), v(0, 0, 0, d));

  Tensor<float> long_k(kFloat32, {1, 5, 1, 8});
  args.k = args.v = long_k.get();
  EXPECT_EQ(library.run(site, args), FV_FAILED);
  EXPECT_NE(library.message().find("5 keys on a site of"), std::string::npos) << library.message();

  site.masks = FV_MASK_CAUSAL;
  EXPECT_FALSE(library.supports(site));
  site = small_site();
  site.query_heads = 3;
  site.kv_heads = 2;
  EXPECT_FALSE(library.supports(site));
  site = small_site();
  site.dtype = kFloat64;
  EXPECT_FALSE(library.supports(site));
}

}  // namespace
}  // namespace fastvideo::cpu
