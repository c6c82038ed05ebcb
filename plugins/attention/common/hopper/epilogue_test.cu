// The epilogue alone: registers that the test makes up, divided by their sums, into memory full of NaN. An element in
// the wrong place, one that is missing, a query behind the last, a byte beside the tile: all show.
#include <cstring>
#include <numbers>
#include <random>

#include "plugins/attention/common/tests/hopper_test.cuh"

namespace fastvideo::hopper {
namespace {

/// sums: [tile row][column]; state: [tile row][reference, sum], the sum if the product does not compute it.
template <class S, class KeyBlocks>
__global__ void epilogue_kernel(const __grid_constant__ Parameters<KeyBlocks> p, const float* sums, const float* state,
                                bool nothing) {
  const int consumer = threadIdx.x / kWarpgroup, thread = threadIdx.x % kWarpgroup;
  for (int job = blockIdx.x; job < p.scheduler.jobs(); job += gridDim.x) {
    if (nothing) {
      store_nothing<S>(p, p.scheduler.tile(job), consumer);
      continue;
    }
    Output<S> output;
    SoftmaxState mine;
    const int first = consumer * kWarpgroupRows;
    for (int i = 0; i < S::kColumns / 2; ++i)
      output[i] = sums[(first + row_of(thread, i)) * S::kColumns + column_of(thread, i)];
    for (int r = 0; r < 2; ++r) {
      const float* row = state + 2 * (first + row_of(thread, 2 * r));
      mine.reference[r] = row[0];
      mine.sum[r] = row[1] * (1 + thread % 4) / 10;  // the four threads of a row have parts of it
    }
    store_output<S>(p, p.scheduler.tile(job), consumer, mine, output);
  }
}

struct Layout {
  const char* name;
  TokenStrides (*strides)(int queries, int heads, int size);
};
const Layout kLayouts[] = {
    {"tokens",
     [](int queries, int heads, int size) {
       return TokenStrides{queries * heads * size, heads * size, size};
     }},
    {"heads",
     [](int queries, int heads, int size) {
       return TokenStrides{heads * queries * size, size, queries * size};
     }},
    {"gaps", [](int queries, int heads, int size) {
       return TokenStrides{queries * (heads + 1) * (size + 16) + 24, (heads + 1) * (size + 16), size + 16};
     }}};

template <class S>
class EpilogueTest : public HopperTest<S> {
 public:
  using T = typename S::Element;
  using KeyBlocks = DenseKeyBlocks<S::kKeys>;
  static constexpr int kBatch = 2, kHeads = 4, kKeyHeads = 2, kSize = S::kHeadSize;

  EpilogueTest()
      : sums_(S::kRows * S::kColumns), state_(S::kRows * 2), scales_(kBatch * kKeyHeads * kSize), residual_(scales_) {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (std::vector<float>* numbers : {&sums_, &state_, &scales_, &residual_})
      for (float& x : *numbers) x = uniform(random);
    for (int row = 0; row < S::kRows; ++row) {
      state_[2 * row + 1] = 0.5F + static_cast<float>(row);
      for (int d = kSize; d < S::kColumns; ++d) sums_[row * S::kColumns + d] = state_[2 * row + 1];
    }
  }

  double expected(int batch, int head, int query, int d) const {
    const int row = query % S::kRows, channel = (batch * kKeyHeads + head / (kHeads / kKeyHeads)) * kSize + d;
    const double x = double{sums_[row * S::kColumns + d]} / double{state_[2 * row + 1]};
    return S::ValueProduct::kScaled ? x * double{scales_[channel]} + double{residual_[channel]} : x;
  }

  void check(int queries, const Layout& layout, bool nothing) const {
    const TokenStrides strides = layout.strides(queries, kHeads, kSize);
    const size_t room = static_cast<size_t>(kBatch * strides.batch) + 64;  // and behind the last row
    const DeviceArray<T> out(room);
    const DeviceArray<float> sums(sums_), state(state_), scales(scales_), residual(residual_),
        log_sum_exp(kBatch * kHeads * (queries + 3));
    Call call{};
    call.batch = kBatch;
    call.queries = queries;
    call.heads = kHeads;
    call.kv_heads = kKeyHeads;
    call.out = out.get();
    call.out_strides = strides;
    call.log_sum_exp = log_sum_exp.get();
    call.log_sum_exp_head = queries + 3;
    call.log_sum_exp_batch = kHeads * (queries + 3);
    auto p = make_parameters<S, KeyBlocks>(call);
    p.scales.values = scales.get();
    p.scales.residual = residual.get();
    run_kernel(epilogue_kernel<S, KeyBlocks>, 3, S::kRows * 2, 0, p, sums.get(), state.get(), nothing);
    std::vector<T> got = out.download();
    std::vector<float> got_sums = log_sum_exp.download();
    // Half a step of the type, and division and log2 that err by 2^-22.
    const double unit = std::is_same_v<T, __nv_bfloat16> ? 0x1p-8 : 0x1p-11;
    for (int b = 0; b < kBatch; ++b)
      for (int h = 0; h < kHeads; ++h)
        for (int i = 0; i < queries; ++i) {
          for (int d = 0; d < kSize; ++d) {
            T& x = got[b * strides.batch + i * strides.token + h * strides.head + d];
            const double want = nothing ? 0 : expected(b, h, i, d);
            ASSERT_NEAR(static_cast<float>(x), want, std::fabs(want) * unit * 1.01 + (nothing ? 0 : 1e-6))
                << "batch " << b << ", head " << h << ", query " << i << ", channel " << d;
            std::memset(&x, 0xFF, sizeof(x));  // then no other memory may be written
          }
          float& x = got_sums[(b * kHeads + h) * (queries + 3) + i];
          const float* row = &state_[2 * (i % S::kRows)];
          const double want = (double{row[0]} + std::log2(double{row[1]}) - double{S::ValueProduct::kReferenceLog2}) *
                              std::numbers::ln2;
          if (nothing)
            ASSERT_EQ(x, -std::numeric_limits<float>::infinity());
          else
            ASSERT_NEAR(x, want, 2e-6) << "batch " << b << ", head " << h << ", query " << i;
          std::memset(&x, 0xFF, sizeof(x));
        }
    const auto untouched = [](const auto& numbers) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(numbers.data());
      return std::all_of(bytes, bytes + numbers.size() * sizeof(numbers[0]), [](unsigned char x) { return x == 0xFF; });
    };
    EXPECT_TRUE(untouched(got)) << "written beside the output";
    EXPECT_TRUE(untouched(got_sums)) << "written beside the log-sum-exp";
  }

  void check_all() const {
    for (const Layout& layout : kLayouts)
      for (const int queries : {1, 64, 130, 385})
        for (const bool nothing : {false, true}) {
          SCOPED_TRACE(std::string(layout.name) + ", " + std::to_string(queries) + " queries" +
                       (nothing ? ", without keys" : ""));
          check(queries, layout, nothing);
          if (this->HasFatalFailure()) return;
        }
  }

 private:
  std::vector<float> sums_, state_, scales_, residual_;
};

template <class S>
class DenseEpilogue : public EpilogueTest<S> {};
TYPED_TEST_SUITE(DenseEpilogue, DenseShapes);
TYPED_TEST(DenseEpilogue, WritesEachElementOnceAndNothingBeside) { this->check_all(); }

template <class S>
class QuantisedEpilogue : public EpilogueTest<S> {};
TYPED_TEST_SUITE(QuantisedEpilogue, QuantisedShapes);
TYPED_TEST(QuantisedEpilogue, WritesEachElementOnceAndNothingBeside) { this->check_all(); }

}  // namespace
}  // namespace fastvideo::hopper
