// The preparation alone, beside its definition in float64: means, scales and the rows that share them, integers, values
// in e4m3 where the product reads them, and the mean of their rounding errors. A scale of the wrong group, a row that
// is not read, a value in the wrong place, a NaN that becomes a number: all show.
#include <cuda_fp8.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "plugins/attention/common/tests/hopper_test.cuh"
#include "plugins/attention/sage_attn/sm90/launch.hpp"
#include "plugins/attention/sage_attn/sm90/workspace.hpp"

namespace fastvideo::sage {
namespace {

using hopper::DeviceArray;

struct Sizes {
  int batch, queries, keys, heads, key_heads;
};

/// A [batch, token, head, size] with a gap behind every token, and a whole preparation of three of them.
template <class T>
struct Tensor {
  int tokens, heads, size;
  std::vector<T> data;

  Tensor(int batch, int tokens_, int heads_, int size_, std::mt19937& random)
      : tokens(tokens_), heads(heads_), size(size_), data(static_cast<size_t>(batch) * tokens * stride()) {
    std::normal_distribution<float> normal;
    std::vector<float> offset(stride());  // of a channel
    for (float& x : offset) x = 3 * normal(random);
    for (size_t i = 0; i < data.size(); ++i) data[i] = T(normal(random) + offset[i % stride()]);
  }
  int stride() const { return heads * size + 8; }
  T& element(int b, int token, int head, int d) {
    return data[(static_cast<size_t>(b) * tokens + token) * stride() + head * size + d];
  }
  float at(int b, int token, int head, int d) const {
    return static_cast<float>(const_cast<Tensor*>(this)->element(b, token, head, d));
  }
  hopper::TokenStrides strides() const { return {static_cast<int64_t>(tokens) * stride(), stride(), size}; }
};

/// S: an Element and a head size.
template <class T, int kSize_>
struct Kind {
  using Element = T;
  static constexpr int kSize = kSize_;
};

template <class K>
class Quantise : public hopper::HopperTest<K> {
 public:
  using T = typename K::Element;
  static constexpr int kSize = K::kSize;

  Quantise()
      : random_(1),
        q_(c_.batch, c_.queries, c_.heads, kSize, random_),
        k_(c_.batch, c_.keys, c_.key_heads, kSize, random_),
        v_(c_.batch, c_.keys, c_.key_heads, kSize, random_) {}

  void run(bool smooth_k, bool per_block, bool smooth_q = false) {
    const Quantiser quantiser{std::is_same_v<T, __nv_bfloat16>, kSize, true, smooth_k, per_block, smooth_q};
    const DeviceArray<T> q(q_.data), k(k_.data), v(v_.data);
    hopper::Call call{};
    call.batch = c_.batch;
    call.queries = c_.queries;
    call.keys = c_.keys;
    call.heads = c_.heads;
    call.kv_heads = c_.key_heads;
    call.q = q.get();
    call.k = k.get();
    call.v = v.get();
    call.q_strides = q_.strides();
    call.k_strides = k_.strides();
    call.v_strides = v_.strides();
    call.scale = kScale;
    const DeviceArray<char> workspace(
        workspace_bytes(quantiser, c_.batch, c_.queries, c_.keys, c_.heads, c_.key_heads, 0));
    launch(quantiser, call, c_.queries, workspace.get(), 0, Part::preparation, nullptr);
    hopper::check_cuda(cudaDeviceSynchronize(), "running");
    memory_ = workspace.download();
    p_ = {};
    p_.q.tokens = c_.queries;
    p_.q.heads = c_.heads;
    p_.k.tokens = c_.keys;
    p_.k.heads = c_.key_heads;
    p_.batch = c_.batch;
    p_.quantise_v = true;
    p_.smooth_q = smooth_q;
    Workspace pieces(memory_.data());
    take_operands(p_, kSize, pieces);
  }

  // The first query or key of the group that shares a scale.
  int group(int token, bool of_keys, bool per_block) const {
    if (per_block) return of_keys ? token / 128 * 128 : token / 64 * 64;
    return of_keys ? token / 128 * 128 + token % 8 / 2 * 2 : token / 16 * 16 + token % 8;
  }
  float scale(int b, int head, int token, bool of_keys) const {
    if (of_keys) return p_.k_scales[((b * c_.key_heads + head) * p_.key_blocks + token / 128) * 4 + token % 8 / 2];
    return p_.q_scales[((b * c_.heads + head) * p_.query_groups + token / 16) * 8 + token % 8];
  }

  // Rows of q, less the mean of their 64 with smooth_q, or of k less its mean: the scale is the largest of the group
  // over 127, the integer the nearest.
  void check_rows(bool of_keys, bool per_block) const {
    const Tensor<T>& x = of_keys ? k_ : q_;
    const int8_t* integers = of_keys ? p_.k8 : p_.q8;
    for (int b = 0; b < c_.batch; ++b)
      for (int h = 0; h < x.heads; ++h) {
        const auto number = [&](int token, int d) {
          const float mean = of_keys       ? p_.k_mean[(b * c_.key_heads + h) * kSize + d]
                             : p_.smooth_q ? p_.q_mean[((b * c_.heads + h) * p_.query_blocks + token / 64) * kSize + d]
                                           : 0.0F;
          return x.at(b, token, h, d) - mean;
        };
        std::vector<float> largest(x.tokens);
        for (int i = 0; i < x.tokens; ++i)
          for (int d = 0; d < kSize; ++d) {
            float& of_group = largest[group(i, of_keys, per_block)];
            of_group = std::max(of_group, std::fabs(number(i, d)));
          }
        for (int i = 0; i < x.tokens; ++i) {
          const float step = scale(b, h, i, of_keys);
          ASSERT_EQ(step, largest[group(i, of_keys, per_block)] / 127) << (of_keys ? "key " : "query ") << i;
          for (int d = 0; d < kSize; ++d) {
            const int integer = integers[((b * x.heads + h) * x.tokens + i) * kSize + d];
            ASSERT_LE(std::abs(integer), 127);
            ASSERT_NEAR(double{step} * integer, double{number(i, d)}, 0.5001 * double{step}) << i << ", channel " << d;
          }
        }
      }
  }

  void check_mean(bool smooth_k) const {
    for (int b = 0; b < c_.batch; ++b)
      for (int h = 0; h < c_.key_heads; ++h)
        for (int d = 0; d < kSize; ++d) {
          double sum = 0;
          for (int j = 0; j < c_.keys; ++j) sum += double{k_.at(b, j, h, d)};
          // Sums in float of some hundred numbers of up to 10.
          ASSERT_NEAR(p_.k_mean[(b * c_.key_heads + h) * kSize + d], smooth_k ? sum / c_.keys : 0, smooth_k ? 1e-5 : 0);
        }
  }

  // The mean of each 64 queries, and its part of the scores of each key.
  void check_query_means() const {
    for (int b = 0; b < c_.batch; ++b)
      for (int h = 0; h < c_.heads; ++h)
        for (int block = 0; block < p_.query_blocks; ++block) {
          const int64_t at = (static_cast<int64_t>(b) * c_.heads + h) * p_.query_blocks + block;
          const int end = std::min(c_.queries, 64 * block + 64), k_head = h / (c_.heads / c_.key_heads);
          for (int d = 0; d < kSize; ++d) {
            double sum = 0;
            for (int i = 64 * block; i < end; ++i) sum += double{q_.at(b, i, h, d)};
            ASSERT_NEAR(p_.q_mean[at * kSize + d], sum / (end - 64 * block), 1e-5) << "block " << block;
          }
          for (int j = 0; j < c_.keys; ++j) {
            double bias = 0, magnitude = 0;
            for (int d = 0; d < kSize; ++d) {
              const double mean = double{p_.q_mean[at * kSize + d]}, key = double{k_.at(b, j, k_head, d)};
              bias += mean * (key - double{p_.k_mean[(b * c_.key_heads + k_head) * kSize + d]});
              magnitude += std::fabs(mean * key);
            }
            constexpr double kLog2 = double{kScale} * std::numbers::log2e;
            // Two numbers of bfloat16 hold a mean to 2^-17, two of float16 to more.
            ASSERT_NEAR(p_.biases[at * p_.key_blocks * kBlockTokens + j], bias * kLog2, magnitude * kLog2 * 0x1p-16)
                << "block " << block << ", key " << j;
          }
        }
  }

  void check_values() const {
    for (int b = 0; b < c_.batch; ++b)
      for (int h = 0; h < c_.key_heads; ++h)
        for (int d = 0; d < kSize; ++d) {
          const int channel = (b * c_.key_heads + h) * kSize + d;
          const uint8_t* row = p_.v8 + static_cast<size_t>(channel) * p_.key_blocks * kBlockTokens;
          float largest = 0;
          for (int j = 0; j < c_.keys; ++j) largest = std::max(largest, std::fabs(v_.at(b, j, h, d)));
          const double step = double{p_.v_scales[channel]};
          ASSERT_EQ(p_.v_scales[channel], largest / 320);
          double lost = 0;
          for (int j = 0; j < p_.key_blocks * kBlockTokens; ++j) {
            const int within = j % 16;  // position 4 c + i holds token 8 (i / 2) + 2 c + i % 2
            __nv_fp8_e4m3 stored;
            stored.__x = row[j / 16 * 16 + within % 8 / 2 * 4 + within / 8 * 2 + within % 2];
            const double got = static_cast<double>(static_cast<float>(stored));
            if (j >= c_.keys) {
              ASSERT_EQ(stored.__x, 0) << "behind the last key";
              continue;
            }
            const double want = double{v_.at(b, j, h, d)} / step;
            const double half_step = std::exp2(std::max(-6, want == 0 ? -6 : std::ilogb(want)) - 4);
            ASSERT_NEAR(got, want, half_step * 1.0001) << "key " << j << ", channel " << d;
            lost += want - got;
          }
          ASSERT_NEAR(p_.v_residual[channel], lost * step / c_.keys, 1e-6 * double{largest});
        }
  }

 protected:
  // Ragged in blocks, groups and parts of the statistics.
  const Sizes c_{2, 203, 700, 4, 2};
  static constexpr float kScale = 0.07F;
  std::mt19937 random_;
  Tensor<T> q_, k_, v_;
  std::vector<char> memory_;
  Quantisation p_{};
};

using Kinds = ::testing::Types<Kind<__nv_bfloat16, 128>, Kind<__nv_bfloat16, 64>, Kind<__half, 128>, Kind<__half, 64>>;
TYPED_TEST_SUITE(Quantise, Kinds);

TYPED_TEST(Quantise, IsItsStatement) {
  for (const bool smooth_k : {true, false})
    for (const bool per_block : {true, false}) {
      this->run(smooth_k, per_block);
      this->check_mean(smooth_k);
      this->check_rows(false, per_block);
      this->check_rows(true, per_block);
      this->check_values();
      if (this->HasFatalFailure()) return;
    }
}

TYPED_TEST(Quantise, TakesTheMeanOffQueries) {
  for (const bool smooth_k : {true, false})
    for (const bool per_block : {true, false}) {
      this->run(smooth_k, per_block, true);
      this->check_mean(smooth_k);
      this->check_query_means();
      this->check_rows(false, per_block);
      this->check_rows(true, per_block);
      this->check_values();
      if (this->HasFatalFailure()) return;
    }
}

// Biases of a gigabyte at most at a time, in parts of one size; whole blocks of queries.
TEST(QueriesTogether, KeepBiasesSmall) {
  const Quantiser smooth{true, 128, true, true, false, true}, plain{true, 128, true, true, false, false};
  EXPECT_EQ(queries_together(plain, 1, 75600, 75600, 40), 75600);
  EXPECT_EQ(queries_together(smooth, 1, 1000, 1000, 4), 1024);
  EXPECT_EQ(queries_together(smooth, 1, 32760, 32760, 12), 32768);     // 805 MB
  EXPECT_EQ(queries_together(smooth, 1, 32760, 32760, 40), 171 * 64);  // of 512 blocks, 204 have a gigabyte
  EXPECT_EQ(queries_together(smooth, 1, 0, 0, 40), 1);
  EXPECT_EQ(queries_together(smooth, 64, 640, 1 << 20, 64), 64);  // more than a gigabyte for 64 queries
  EXPECT_LT(workspace_bytes(smooth, 1, 75600, 75600, 40, 40, 132) - workspace_bytes(plain, 1, 0, 75600, 40, 40, 132),
            size_t{5} << 28);
}

// Channels and rows of zeros and of numbers too small to be inverted, which must not become infinite or NaN.
TYPED_TEST(Quantise, TakesZerosAndTheSmallestNumbers) {
  using T = typename TypeParam::Element;
  for (int b = 0; b < 2; ++b)
    for (int h = 0; h < 2; ++h)
      for (int j = 0; j < 700; ++j)
        for (int d = 0; d < 8; ++d) this->v_.element(b, j, h, d) = T(d % 2 == 0 || j % 2 == 0 ? 0.0F : 1e-38F);
  for (int i = 0; i < 16; ++i)
    for (int d = 0; d < TypeParam::kSize; ++d) this->q_.element(0, i, 0, d) = T(d == 0 ? 1e-38F : 0.0F);
  this->run(true, false);
  for (int b = 0; b < 2; ++b)
    for (int h = 0; h < 2; ++h)
      for (int d = 0; d < 8; ++d) {
        const int channel = (b * 2 + h) * TypeParam::kSize + d;
        ASSERT_NEAR(this->p_.v_residual[channel], 0, 1e-37);
        for (int j = 0; j < this->p_.key_blocks * kBlockTokens; ++j)
          ASSERT_EQ(this->p_.v8[static_cast<size_t>(channel) * this->p_.key_blocks * kBlockTokens + j], 0);
      }
  for (int i = 0; i < 16 * TypeParam::kSize; ++i) ASSERT_EQ(this->p_.q8[i], 0);
}

// The scales that a NaN or an infinity affects are NaN, and no other scales.
TYPED_TEST(Quantise, KeepsWhatIsNotFiniteInItsScales) {
  using T = typename TypeParam::Element;
  constexpr int kToken = 150, kHead = 1, kChannel = 3;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const bool smooth_k : {true, false})
      for (const bool per_block : {true, false}) {
        const T q = this->q_.element(1, kToken, kHead, kChannel), k = this->k_.element(1, kToken, kHead, kChannel),
                v = this->v_.element(1, kToken, kHead, kChannel);
        this->q_.element(1, kToken, kHead, kChannel) = this->k_.element(1, kToken, kHead, kChannel) =
            this->v_.element(1, kToken, kHead, kChannel) = T(bad);
        this->run(smooth_k, per_block);
        for (int b = 0; b < 2; ++b)
          for (int h = 0; h < 2; ++h) {
            const bool head = b == 1 && h == kHead;
            for (int i = 0; i < 203; ++i)
              ASSERT_EQ(!std::isfinite(this->scale(b, h, i, false)),
                        head && this->group(i, false, per_block) == this->group(kToken, false, per_block))
                  << "query " << i;
            for (int j = 0; j < 700; ++j)  // the mean is NaN, and so are all keys less their mean
              ASSERT_EQ(!std::isfinite(this->scale(b, h, j, true)),
                        head && (smooth_k || this->group(j, true, per_block) == this->group(kToken, true, per_block)))
                  << "key " << j;
            for (int d = 0; d < TypeParam::kSize; ++d)
              ASSERT_EQ(!std::isfinite(this->p_.v_scales[(b * 2 + h) * TypeParam::kSize + d]), head && d == kChannel);
          }
        this->q_.element(1, kToken, kHead, kChannel) = q;
        this->k_.element(1, kToken, kHead, kChannel) = k;
        this->v_.element(1, kToken, kHead, kChannel) = v;
      }
}

}  // namespace
}  // namespace fastvideo::sage
