// The two softmaxes alone, block by block on scores that the test makes up, beside float64. A mask that lets a key in,
// a maximum that misses a register or a thread, a factor not applied, state kept from the tile before: all show.
#include <cuda_fp8.h>

#include <cstring>
#include <functional>
#include <limits>
#include <numbers>
#include <random>

#include "plugins/attention/common/tests/hopper_test.cuh"

namespace fastvideo::hopper {
namespace {

constexpr int kRows = kWarpgroupRows;
constexpr double kNone = -std::numeric_limits<double>::infinity();

struct Block {
  bool first;    // of its tile
  int existing;  // keys
};

/// The softmax's results after a block, [block][row]: state with the sum of the row, and the factor for the output
/// before.
struct After {
  float *reference, *sum, *factor;

  __device__ void write(int block, const SoftmaxState& state, bool scaled, const float (&factors)[2]) const {
    for (int r = 0; r < 2; ++r) {
      const int at = block * kRows + row_of(threadIdx.x, 2 * r);
      const float joined = join_sum(state.sum[r]);
      if (threadIdx.x % 4 != 0) continue;
      reference[at] = state.reference[r];
      sum[at] = joined;
      factor[at] = scaled ? factors[r] : 1.0F;
    }
  }
};

/// scores, weights: [block][row][key]; scales: [row][key % 8 / 2], as a thread has them; biases: [block][key].
template <class S>
__global__ void softmax_kernel(const typename S::ScoreProduct::Score* scores, const float* scales, const float* biases,
                               const Block* blocks, int count, float* weights, After after) {
  typename S::Softmax softmax;
  __shared__ float biases_of_block[S::kKeys];
  for (int block = 0; block < count; ++block) {
    __syncthreads();
    for (int key = threadIdx.x; key < S::kKeys; key += kWarpgroup)
      biases_of_block[key] = biases[block * S::kKeys + key];
    __syncthreads();
    Scores<S> mine;
    const auto at = [&](int i) {
      return (block * kRows + row_of(threadIdx.x, i)) * S::kKeys + column_of(threadIdx.x, i);
    };
    for (int i = 0; i < S::kKeys / 2; ++i) mine[i] = scores[at(i)];
    const float scale = scales[row_of(threadIdx.x, 0) * 4 + threadIdx.x % 4];
    float factor[2] = {1, 1};
    typename S::Softmax::template Result<S> result;
    const bool raised = softmax.template next<S>(result, mine, blocks[block].first, blocks[block].existing, scale,
                                                 biases_of_block, factor);
    after.write(block, softmax.state(), raised && !blocks[block].first, factor);
    if constexpr (std::is_same_v<typename S::Softmax, OnlineSoftmax>) {
      for (int i = 0; i < S::kKeys / 2; ++i) weights[at(i)] = result[i];
    } else {
      Probabilities<S> packed;
      S::ValueProduct::template join<S>(packed, result);
      for (int i = 0; i < S::kKeys / 2; ++i) {
        if constexpr (S::ValueProduct::kTransposed) {  // four keys of a row of each sixteen: 2 c, 2 c + 1, and 8 behind
          const int of_sixteen = i % 8, row = of_sixteen / 2 % 2, byte = of_sixteen / 4 * 2 + of_sixteen % 2;
          __nv_fp8_e4m3 weight;
          weight.__x = static_cast<unsigned char>(packed[i / 8 * 2 + row] >> 8 * byte);
          weights[at(i)] = static_cast<float>(weight);
        } else {
          const unsigned short bits = static_cast<unsigned short>(packed[i / 2] >> 16 * (i % 2));
          weights[at(i)] = static_cast<float>(reinterpret_cast<const typename S::Element&>(bits));
        }
      }
    }
  }
}

// Two tiles of three blocks, the first of each ragged, and a block without any key.
const std::vector<Block> kBlocks{{true, 77}, {false, 1000}, {false, 0}, {true, 1}, {false, 1000}, {false, 1000}};

template <class S>
class Softmax : public HopperTest<S> {
 public:
  using Score = typename S::ScoreProduct::Score;
  static constexpr int kKeys = S::kKeys;
  using Make = std::function<Score(int block, int row, int key)>;

  // Runs kBlocks; scale(row, c).
  template <class Scale>
  void run(const Make& make, Scale scale) {
    const size_t count = kBlocks.size();
    scores_.resize(count * kRows * kKeys);
    for (size_t i = 0; i < scores_.size(); ++i)
      scores_[i] =
          make(static_cast<int>(i / (kRows * kKeys)), static_cast<int>(i / kKeys % kRows), static_cast<int>(i % kKeys));
    scales_.resize(kRows * 4);
    for (int i = 0; i < kRows * 4; ++i) scales_[i] = scale(i / 4, i % 4);
    biases_.assign(count * kKeys, 0.0F);
    if (S::ScoreProduct::kBiased) {
      std::mt19937 random(3);
      std::normal_distribution<float> normal(0, 5);
      for (float& bias : biases_) bias = normal(random);
    }
    std::vector<Block> blocks = kBlocks;
    for (Block& block : blocks) block.existing = std::min(block.existing, kKeys);
    const DeviceArray<Score> scores(scores_);
    const DeviceArray<float> scales(scales_), biases(biases_), weights(scores_.size()), reference(count * kRows),
        sum(count * kRows), factor(count * kRows);
    const DeviceArray<Block> device_blocks(blocks);
    run_kernel(softmax_kernel<S>, 1, kWarpgroup, 0, scores.get(), scales.get(), biases.get(), device_blocks.get(),
               static_cast<int>(count), weights.get(), {reference.get(), sum.get(), factor.get()});
    weights_ = weights.download();
    reference_ = reference.download();
    sum_ = sum.download();
    factor_ = factor.download();
  }

  static int existing(int block) { return std::min(kBlocks[block].existing, kKeys); }
  // A score in powers of two.
  double log2_score(int block, int row, int key) const {
    return static_cast<double>(scores_[(block * kRows + row) * kKeys + key]) * double{scales_[row * 4 + key % 8 / 2]} +
           double{biases_[block * kKeys + key]};
  }
  float weight(int block, int row, int key) const { return weights_[(block * kRows + row) * kKeys + key]; }
  float reference(int block, int row) const { return reference_[block * kRows + row]; }
  float sum(int block, int row) const { return sum_[block * kRows + row]; }
  float factor(int block, int row) const { return factor_[block * kRows + row]; }

  // Probabilities of a tile in blocks [begin, end) of one row, and log-sum-exp, beside the definition.
  void check_row(int begin, int end, int row) const {
    double top = kNone, total = 0, largest = 0;
    for (int b = begin; b < end; ++b)
      for (int j = 0; j < existing(b); ++j) top = std::max(top, log2_score(b, row, j));
    for (int b = begin; b < end; ++b)
      for (int j = 0; j < existing(b); ++j) {
        total += std::exp2(log2_score(b, row, j) - top);
        if (log2_score(b, row, j) > kNone) largest = std::max(largest, std::fabs(log2_score(b, row, j)));
      }
    // A reference, and the step to the next, is rounded to float: a power of two of a score's last place for all
    // weights of a block alike. Beside it ex2.approx errs by 2^-22, and sums of float.
    const double rounding = largest * 0x1p-24;
    double later = 1;
    for (int b = end - 1; b >= begin; later *= double{factor(b, row)}, --b)
      for (int j = 0; j < kKeys; ++j) {
        const double p = j < existing(b) ? std::exp2(log2_score(b, row, j) - top) / total : 0;
        ASSERT_NEAR(double{weight(b, row, j)} * later / double{sum(end - 1, row)}, p, 2e-6 + 4 * rounding * p * (1 - p))
            << "block " << b << ", row " << row << ", key " << j;
      }
    ASSERT_NEAR(double{reference(end - 1, row)} + std::log2(double{sum(end - 1, row)}), top + std::log2(total),
                2e-6 + 4 * rounding);
  }

  std::vector<Score> scores_;
  std::vector<float> scales_, biases_, weights_, reference_, sum_, factor_;
};

template <class S>
class OnlineSoftmaxOf : public Softmax<S> {};
TYPED_TEST_SUITE(OnlineSoftmaxOf, DenseShapes);

TYPED_TEST(OnlineSoftmaxOf, IsSoftmax) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto n = [&] { return normal(random); };
  const float none = -std::numeric_limits<float>::infinity();
  const struct {
    const char* name;
    typename Softmax<TypeParam>::Make score;
  } cases[] = {
      {"normal", [&](int, int, int) { return 4 * n(); }},
      {"all negative", [&](int, int, int) { return n() - 5000; }},  // next to a score of 0 they would weigh nothing
      {"one negative row of a warp", [&](int, int row, int) { return n() + (row == 21 ? -30.0F : 30.0F); }},
      {"rising", [&](int block, int, int) { return 20.0F * block + n(); }},
      {"falling", [&](int block, int, int) { return n() - 20.0F * block; }},
      {"the largest last of its row",
       [&](int, int, int key) { return n() + (key == TypeParam::kKeys - 1 ? 9.0F : 0.0F); }},
      {"one key of all", [&](int, int row, int key) { return key == row || key == 0 ? n() : none; }},
      {"a row without any but one",
       [&](int block, int row, int key) { return row % 16 == 3 && (block % 3 > 0 || key > 0) ? none : n(); }},
      {"huge", [&](int, int, int) { return 3e4F * n(); }},
      {"as huge as stays finite", [&](int, int, int) { return 1e8F * n(); }},
      {"equal", [&](int, int, int) { return 7.0F; }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    this->run(c.score, [](int, int) { return 0.18F; });
    for (int tile = 0; tile < 2; ++tile)
      for (int row = 0; row < kRows; ++row) this->check_row(3 * tile, 3 * tile + 3, row);
    if (this->HasFatalFailure()) return;
  }
}

template <class S>
class QuantisedSoftmaxOf : public Softmax<S> {
 public:
  static constexpr double kLog2 = double{S::ValueProduct::kReferenceLog2};

  // Half a step of the type that a weight is rounded to.
  static double half_step(double weight) {
    const bool e4m3 = S::ValueProduct::kTransposed, bf16 = std::is_same_v<typename S::Element, __nv_bfloat16>;
    const int least = e4m3 ? -6 : bf16 ? -126 : -14, digits = e4m3 ? 4 : bf16 ? 8 : 11;
    return std::exp2(std::max(least, weight > 0 ? std::ilogb(weight) : least) - digits);
  }

  // Each weight is 2^(score - reference), rounded; the reference is a maximum so far, and never far below it.
  void check_blocks() const {
    for (int row = 0; row < kRows; ++row) {
      double before = kNone, total = 0;
      for (int b = 0; b < static_cast<int>(kBlocks.size()); ++b) {
        if (kBlocks[b].first) before = kNone, total = 0;
        double top = kNone;
        for (int j = 0; j < this->existing(b); ++j) top = std::max(top, this->log2_score(b, row, j));
        const double reference = double{this->reference(b, row)};
        // A score to which a bias is added is rounded to some step of its own.
        const double last_place = 2 * std::max(1.0, std::fabs(reference)) * 0x1p-23 +
                                  (S::ScoreProduct::kBiased ? 2 * double{this->scales_[row * 4 + 3]} : 0);
        ASSERT_TRUE(std::fabs(reference - std::max(top, before)) < last_place || reference == before)
            << "block " << b << ", row " << row << ": reference " << reference << ", largest " << top;
        ASSERT_LE(top, reference + double{kSlackLog2} + last_place);
        ASSERT_NEAR(double{this->factor(b, row)}, kBlocks[b].first ? 1 : std::exp2(before - reference), 1e-6);
        // Adding 1.5 * 2^23 to integers moves the weights of a thread by at most half a step of a score, all alike.
        const double alike = double{this->scales_[row * 4]} * 2 * std::numbers::ln2 + 1e-5;
        total *= double{this->factor(b, row)};
        for (int j = 0; j < this->kKeys; ++j) {
          const double w = j < this->existing(b) ? std::exp2(this->log2_score(b, row, j) - reference + kLog2) : 0;
          ASSERT_NEAR(double{this->weight(b, row, j)}, w, w * alike + (w > 1e-37 ? half_step(w) : 1e-37))
              << "block " << b << ", row " << row << ", key " << j;
          total += w;
        }
        if (S::ValueProduct::kSumColumns == 0) {
          ASSERT_NEAR(double{this->sum(b, row)}, total, total * alike) << "row " << row;
        }
        before = reference;
      }
    }
  }
};
TYPED_TEST_SUITE(QuantisedSoftmaxOf, QuantisedShapes);

TYPED_TEST(QuantisedSoftmaxOf, WeighsBesideALaggingReference) {
  std::mt19937 random(2);
  std::normal_distribution<double> normal;
  constexpr int kMost = 127 * 127 * TypeParam::kHeadSize;
  const auto n = [&](double deviation) { return static_cast<int>(deviation * normal(random)); };
  const struct {
    const char* name;
    typename Softmax<TypeParam>::Make score;
  } cases[] = {
      {"normal", [&](int, int, int) { return n(4000); }},
      {"all negative", [&](int, int, int) { return n(1000) - 50000; }},
      {"rising by less than the slack", [&](int block, int, int) { return n(100) + 2000 * (block % 3); }},
      {"rising", [&](int block, int, int) { return n(1000) + 20000 * block; }},
      {"one row of a warp rises",
       [&](int block, int row, int) { return n(1000) + (row % 16 == 5 ? 20000 * block : 0); }},
      {"falling", [&](int block, int, int) { return n(1000) - 20000 * block; }},
      {"the largest there are", [&](int, int row, int key) { return (row + key) % 3 == 0 ? kMost : -kMost; }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    // Rows q and q + 8 of a thread share a scale.
    this->run(c.score, [](int row, int column) { return 1e-3F * (1 + 0.05F * static_cast<float>(row % 8 + column)); });
    this->check_blocks();
    if (this->HasFatalFailure()) return;
  }
}

// Keys or queries of zeros have the scale 0: all keys that exist weigh the same, and those that do not, nothing.
TYPED_TEST(QuantisedSoftmaxOf, TakesAScaleOfZero) {
  this->run([](int, int, int) { return 0; }, [](int, int) { return 0.0F; });
  this->check_blocks();
}

// A number that is not finite comes as a scale (quantise.cuh): the rows of that thread become NaN, and no other row.
TYPED_TEST(QuantisedSoftmaxOf, KeepsAScaleThatIsNoNumber) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    this->run([](int, int row, int key) { return 100 * row + key; },
              [&](int row, int column) { return row % 8 == 3 && column == 1 ? bad : 1e-3F; });
    for (int b = 0; b < static_cast<int>(kBlocks.size()); ++b)
      for (int row = 0; row < kRows; ++row)
        for (int j = 0; j < this->existing(b); ++j) {
          const bool of_it = row % 8 == 3 && j % 8 / 2 == 1;
          if (of_it || row % 8 != 3) {
            ASSERT_EQ(std::isnan(this->weight(b, row, j)), of_it) << "block " << b << ", row " << row << ", key " << j;
          }
        }
  }
}

}  // namespace
}  // namespace fastvideo::hopper
