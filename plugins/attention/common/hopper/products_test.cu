// The two matrix products alone, on operands that the test lays into shared memory itself: a wrong panel, swizzle,
// depth or place of a register shows, and so do sums of e4m3 that are not relieved in time.
#include <cuda_fp8.h>

#include <cstring>
#include <random>

#include "plugins/attention/common/tests/hopper_test.cuh"

namespace fastvideo::hopper {
namespace {

__device__ void copy_operand(unsigned char* to, const unsigned char* from, int bytes) {
  for (int i = threadIdx.x; i < bytes / 16; i += kWarpgroup)
    reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(from)[i];
  fence_for_async_proxy();
  named_barrier_sync(1, kWarpgroup);
}

template <class S>
__global__ void score_kernel(const unsigned char* queries_and_keys, typename S::ScoreProduct::Score* out) {
  extern __shared__ __align__(1024) unsigned char raw[];
  copy_operand(raw, queries_and_keys, S::kQueryBytes + S::kKeyBytes);
  Scores<S> scores;
  S::ScoreProduct::template multiply<S>(scores, raw, raw + S::kQueryBytes);
  wgmma_commit();
  wgmma_wait<0>();
  hold(scores);
  for (int i = 0; i < S::kKeys / 2; ++i) out[row_of(threadIdx.x, i) * S::kKeys + column_of(threadIdx.x, i)] = scores[i];
}

/// values: [tile][block] as they lie in shared memory; weights: [tile][block][64][key]; after each block but the last
/// of a tile the sum is multiplied by the block's factor. out: [tile][64][kColumns].
template <class S>
__global__ void value_kernel(const unsigned char* values, const float* weights, const float* factors, int tiles,
                             int blocks, float* out) {
  extern __shared__ __align__(1024) unsigned char raw[];
  SharedMemory<S>& shared = *reinterpret_cast<SharedMemory<S>*>(raw);
  shared.init_ones();
  __syncthreads();
  if (threadIdx.x >= kWarpgroup) return;
  typename S::ValueProduct::template Sum<S> sum(shared.stored_sums(0));
  Output<S> output;
  Probabilities<S> probabilities;
  for (int tile = 0; tile < tiles; ++tile) {
    sum.restart(output);
    for (int block = 0; block < blocks; ++block) {
      const int64_t at = tile * blocks + block;
      named_barrier_sync(1, kWarpgroup);
      copy_operand(shared.values[0], values + at * S::kValueBytesLoaded, S::kValueBytesLoaded);
      float mine[S::kKeys / 2];
      for (int i = 0; i < S::kKeys / 2; ++i)
        mine[i] = weights[(at * 64 + row_of(threadIdx.x, i)) * S::kKeys + column_of(threadIdx.x, i)];
      if constexpr (std::is_same_v<typename S::Softmax, OnlineSoftmax>) {
        S::ValueProduct::template join<S>(probabilities, mine);
      } else {
        typename S::Softmax::template Result<S> rounded;
        for (int group = 0; group < S::kKeys / 16; ++group)
          S::ValueProduct::round_eight(rounded + group * S::ValueProduct::kRoundedOfEight, mine + 8 * group);
        S::ValueProduct::template join<S>(probabilities, rounded);
      }
      sum.multiply(output, probabilities, shared.values[0]);
      wgmma_commit();
      wgmma_wait<0>();
      hold(output);
      if (block + 1 == blocks) break;
      const float factor[2] = {factors[at], factors[at]};
      sum.scale(output, factor);
      sum.next(output);
    }
    sum.finish(output);
    for (int i = 0; i < S::kColumns / 2; ++i)
      out[(tile * 64 + row_of(threadIdx.x, i)) * S::kColumns + column_of(threadIdx.x, i)] = output[i];
  }
}

template <class T>
void put(std::vector<unsigned char>& operand, size_t at, T x) {
  std::memcpy(&operand[at], &x, sizeof(x));
}

template <class S>
class ScoreProduct : public HopperTest<S> {};
TYPED_TEST_SUITE(ScoreProduct, DenseShapes);

// Products of 16-bit numbers are exact in float; a sum of 128 of them errs by less than 2^-19 of their magnitudes.
constexpr double kFloatSum = 0x1p-19;

TYPED_TEST(ScoreProduct, IsQueriesTimesKeys) {
  using S = TypeParam;
  using T = typename S::Element;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<unsigned char> operands(S::kQueryBytes + S::kKeyBytes);
  std::vector<double> q(64 * S::kHeadSize), k(S::kKeys * S::kHeadSize);
  const auto fill = [&](std::vector<double>& numbers, int rows, size_t start) {
    for (int row = 0; row < rows; ++row)
      for (int d = 0; d < S::kHeadSize; ++d) {
        const T x(normal(random));
        numbers[row * S::kHeadSize + d] = static_cast<double>(static_cast<float>(x));
        put(operands, start + place(rows, S::kRowBytes, row, 2 * d), x);
      }
  };
  fill(q, 64, 0);
  fill(k, S::kKeys, S::kQueryBytes);
  const DeviceArray<unsigned char> device(operands);
  const DeviceArray<float> scores(64 * S::kKeys);
  run_kernel(score_kernel<S>, 1, kWarpgroup, operands.size(), device.get(), scores.get());
  const std::vector<float> got = scores.download();
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < S::kKeys; ++j) {
      double sum = 0, magnitude = 0;
      for (int d = 0; d < S::kHeadSize; ++d) {
        const double x = q[i * S::kHeadSize + d] * k[j * S::kHeadSize + d];
        sum += x;
        magnitude += std::fabs(x);
      }
      ASSERT_NEAR(got[i * S::kKeys + j], sum, kFloatSum * magnitude) << i << ", " << j;
    }
}

template <class S>
class IntegerScoreProduct : public HopperTest<S> {};
TYPED_TEST_SUITE(IntegerScoreProduct, QuantisedShapes);

TYPED_TEST(IntegerScoreProduct, IsExact) {
  using S = TypeParam;
  std::mt19937 random(2);
  std::uniform_int_distribution<int> integer(-127, 127);
  std::vector<unsigned char> operands(S::kQueryBytes + S::kKeyBytes);
  std::vector<int> q(64 * S::kHeadSize), k(S::kKeys * S::kHeadSize);
  const auto fill = [&](std::vector<int>& numbers, int rows, size_t start) {
    for (int row = 0; row < rows; ++row)
      for (int d = 0; d < S::kHeadSize; ++d) {
        numbers[row * S::kHeadSize + d] = row == 0 ? 127 : integer(random);  // the first two rows: the largest sum
        put(operands, start + place(rows, S::kRowBytes, row, d), static_cast<int8_t>(numbers[row * S::kHeadSize + d]));
      }
  };
  fill(q, 64, 0);
  fill(k, S::kKeys, S::kQueryBytes);
  const DeviceArray<unsigned char> device(operands);
  const DeviceArray<int32_t> scores(64 * S::kKeys);
  run_kernel(score_kernel<S>, 1, kWarpgroup, operands.size(), device.get(), scores.get());
  const std::vector<int32_t> got = scores.download();
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < S::kKeys; ++j) {
      int sum = 0;
      for (int d = 0; d < S::kHeadSize; ++d) sum += q[i * S::kHeadSize + d] * k[j * S::kHeadSize + d];
      ASSERT_EQ(got[i * S::kKeys + j], sum) << i << ", " << j;
    }
}

// Weights and values of a test, [tile][block], and the expected product.
template <class S>
struct ValueCase {
  static constexpr int kTiles = 2;
  int blocks;
  std::vector<unsigned char> values;
  std::vector<float> weights, factors;
  std::vector<double> expected, magnitude;  // [tile][64][kColumns]

  // weight(), value(): the next random number that the product's types hold exactly.
  template <class Weight, class Value>
  ValueCase(int blocks_, Weight weight, Value value, float factor_of_odd)
      : blocks(blocks_),
        values(static_cast<size_t>(kTiles) * blocks * S::kValueBytesLoaded),
        weights(static_cast<size_t>(kTiles) * blocks * 64 * S::kKeys),
        factors(static_cast<size_t>(kTiles) * blocks, 1.0F),
        expected(static_cast<size_t>(kTiles) * 64 * S::kColumns),
        magnitude(expected.size()) {
    constexpr int kSize = S::kHeadSize;
    for (size_t at = 0; at < factors.size(); ++at) {
      if (at % 2 == 1) factors[at] = factor_of_odd;
      double* out = &expected[at / blocks * 64 * S::kColumns];
      double* size = &magnitude[at / blocks * 64 * S::kColumns];
      std::vector<double> v(S::kKeys * kSize);
      unsigned char* block = &values[at * S::kValueBytesLoaded];
      for (int j = 0; j < S::kKeys; ++j)
        for (int d = 0; d < kSize; ++d) {
          const auto x = value();
          v[j * kSize + d] = static_cast<double>(static_cast<float>(x));
          // Transposed values lie in the order of E4M3Values: token 8 (i / 2) + 2 c + i % 2 of sixteen at 4 c + i.
          const int within = j % 16, position = within % 8 / 2 * 4 + within / 8 * 2 + within % 2;
          const size_t to = S::ValueProduct::kTransposed ? place(kSize, S::kKeys, d, j / 16 * 16 + position)
                                                         : place(S::kKeys, 2 * kSize, j, 2 * d);
          std::memcpy(block + to, &x, sizeof(x));
        }
      for (int i = 0; i < 64; ++i) {
        for (int j = 0; j < S::kKeys; ++j) {
          const float w = weight();
          weights[(at * 64 + i) * S::kKeys + j] = w;
          for (int d = 0; d < S::kColumns; ++d) {
            const double x = double{w} * (d < kSize ? v[j * kSize + d] : 1.0);  // columns behind: the sum of weights
            out[i * S::kColumns + d] += x;
            size[i * S::kColumns + d] += std::fabs(x);
          }
        }
        if (at % blocks + 1 < static_cast<size_t>(blocks))
          for (int d = 0; d < S::kColumns; ++d) {
            out[i * S::kColumns + d] *= double{factors[at]};
            size[i * S::kColumns + d] *= double{factors[at]};
          }
      }
    }
  }

  void check(double bound) const {
    const DeviceArray<unsigned char> device_values(values);
    const DeviceArray<float> device_weights(weights), device_factors(factors), out(expected.size());
    run_kernel(value_kernel<S>, 1, S::kThreads, sizeof(SharedMemory<S>), device_values.get(), device_weights.get(),
               device_factors.get(), kTiles, blocks, out.get());
    const std::vector<float> got = out.download();
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i], bound * magnitude[i])
          << "row " << i / S::kColumns << " (of two tiles), column " << i % S::kColumns;
  }
};

template <class S>
class ValueProduct : public HopperTest<S> {
 public:
  static void check_half() {
    using T = typename S::Element;
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<float> uniform;
    ValueCase<S>(
        3, [&] { return static_cast<float>(T(uniform(random))); }, [&] { return T(normal(random)); }, 0.3F)
        .check(2 * kFloatSum);  // 528 products
  }

  // Small integers: sums of four blocks, up to 7,680, are exact in 14 bits, and those of 32, some 37,000, only in more.
  static void check_e4m3() {
    std::mt19937 random(4);
    const auto check = [&](int blocks, int least, int most, float factor) {
      std::uniform_int_distribution<int> weight(1, 3), value(least, most);
      ValueCase<S>(
          blocks, [&] { return static_cast<float>(weight(random)); },
          [&] { return __nv_fp8_e4m3(static_cast<float>(value(random))); }, factor)
          .check(0);
    };
    check(1, -5, 5, 1);
    check(7, -5, 5, 0.5F);  // factors before and behind the fourth block
    check(32, 4, 5, 1);
  }
};

template <class S>
class HalfValueProduct : public ValueProduct<S> {};
TYPED_TEST_SUITE(HalfValueProduct, DenseShapes);
TYPED_TEST(HalfValueProduct, IsWeightsTimesValues) { this->check_half(); }

template <class S>
class QuantisedValueProduct : public ValueProduct<S> {};
TYPED_TEST_SUITE(QuantisedValueProduct, QuantisedShapes);
TYPED_TEST(QuantisedValueProduct, IsWeightsTimesValues) {
  if constexpr (TypeParam::ValueProduct::kTransposed)
    this->check_e4m3();
  else
    this->check_half();
}

}  // namespace
}  // namespace fastvideo::hopper
