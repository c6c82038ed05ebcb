// Putting pieces together, alone: results that the test makes up, beside their mean weighted by the sums of
// exponentials in float64. A piece or row that is not read, a weight of the wrong one, a tile in the wrong place: all
// show.
#include <cstring>
#include <numbers>
#include <random>

#include "plugins/attention/common/tests/hopper_test.cuh"

namespace fastvideo::hopper {
namespace {

template <class S>
class Pieces : public HopperTest<S> {};
TYPED_TEST_SUITE(Pieces, DenseShapes);

TYPED_TEST(Pieces, AreCombinedByTheirSumsOfExponentials) {
  using S = TypeParam;
  using T = typename S::Element;
  constexpr int kBatch = 1, kHeads = 2, kQueries = 2 * S::kRows + 70, kSize = S::kHeadSize, kPieces = 3;
  constexpr int kWhole = 4, kSlots = 2 * kPieces;  // of six tiles the last two, of which one has few queries
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> outputs(kSlots * S::kRows * kSize), sums(kSlots * S::kRows);
  for (float& x : outputs) x = normal(random);
  for (float& x : sums) x = 30 + 3 * normal(random);
  const float none = -std::numeric_limits<float>::infinity();
  for (int row = 0; row < S::kRows; row += 5) {  // a piece without a finite score has no number for an output
    sums[S::kRows + row] = none;
    outputs[(S::kRows + row) * kSize + row % kSize] = std::numeric_limits<float>::quiet_NaN();
  }
  sums[2 * S::kRows + 3] = std::numeric_limits<float>::quiet_NaN();

  const DeviceArray<T> out(kQueries * kHeads * kSize);
  const DeviceArray<float> log_sum_exp(kHeads * kQueries), device_outputs(outputs), device_sums(sums);
  Call call{};
  call.batch = kBatch;
  call.queries = kQueries;
  call.heads = kHeads;
  call.kv_heads = 1;
  call.out = out.get();
  call.out_strides = {0, kHeads * kSize, kSize};
  call.log_sum_exp = log_sum_exp.get();
  call.log_sum_exp_head = kQueries;
  const auto dense = make_parameters<S, DenseKeyBlocks<S::kKeys>>(call);
  Parameters<PieceKeyBlocks<S::kKeys>> p{dense, {dense.scheduler, {kWhole, kSlots}, 2 * kPieces}, {0}};
  p.pieces = {device_outputs.get(), device_sums.get()};
  run_kernel(combine_kernel<S>, combine_blocks<S>(p.scheduler), 32 * kCombineRows, 0, p);

  const auto got = out.download();
  const auto got_sums = log_sum_exp.download();
  const double unit = std::is_same_v<T, __nv_bfloat16> ? 0x1p-8 : 0x1p-11;  // half a step
  for (int h = 0; h < kHeads; ++h)
    for (int i = 0; i < kQueries; ++i) {
      const int tile = h * 3 + i / S::kRows, row = i % S::kRows;
      const auto at = [&](int piece) { return ((tile - kWhole) * kPieces + piece) * S::kRows + row; };
      double largest = -INFINITY, total = 0;
      for (int piece = 0; tile >= kWhole && piece < kPieces; ++piece)
        largest = std::max(largest, double{sums[at(piece)]});
      for (int piece = 0; tile >= kWhole && piece < kPieces; ++piece)
        total += std::exp2(double{sums[at(piece)]} - largest);
      const float sum = got_sums[h * kQueries + i];
      if (tile < kWhole || std::isnan(total))
        ASSERT_TRUE(std::isnan(sum)) << "query " << i;  // as it was before, or is not finite
      else
        ASSERT_NEAR(double{sum}, (largest + std::log2(total)) * std::numbers::ln2, 5e-6) << "query " << i;
      for (int d = 0; d < kSize; ++d) {
        const float x = static_cast<float>(got[(i * kHeads + h) * kSize + d]);
        double want = 0;
        for (int piece = 0; tile >= kWhole && piece < kPieces; ++piece)
          if (const double weight = std::exp2(double{sums[at(piece)]} - largest); weight != 0)
            want += weight * double{outputs[at(piece) * kSize + d]} / total;
        if (tile < kWhole || std::isnan(total))
          ASSERT_TRUE(std::isnan(x)) << "query " << i << ", channel " << d;
        else
          ASSERT_NEAR(double{x}, want, std::fabs(want) * unit * 1.01 + 2e-6) << "query " << i << ", channel " << d;
      }
    }
}

}  // namespace
}  // namespace fastvideo::hopper
