// The kit's expected outputs are right and it reports faults: tested with an attention written from the formula, then
// spoilt.
#include "sdk/testing/attention_problem.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fastvideo/tensor_view.hpp>

namespace fastvideo::testing {
namespace {

using Out = TensorView<float, 4>;

// softmax(scale q k^T) v of a problem in float32 without masks.
void attend(AttentionProblem& problem) {
  const fv_attention_args& args = problem.args();
  const TensorView<const float, 4> q(*args.q), k(*args.k), v(*args.v);
  const Out out(*args.out);
  for (int64_t b = 0; b < q.size(0); ++b)
    for (int64_t i = 0; i < q.size(1); ++i)
      for (int64_t h = 0; h < q.size(2); ++h) {
        double total = 0;
        std::vector<double> sum(static_cast<size_t>(q.size(3)));
        for (int64_t j = 0; j < k.size(1); ++j) {
          double score = 0;
          for (int64_t d = 0; d < q.size(3); ++d) score += double{q(b, i, h, d)} * k(b, j, h, d);
          const double weight = std::exp(problem.site().scale * score);
          total += weight;
          for (int64_t d = 0; d < q.size(3); ++d) sum[static_cast<size_t>(d)] += weight * v(b, j, h, d);
        }
        for (int64_t d = 0; d < q.size(3); ++d)
          out(b, i, h, d) = static_cast<float>(sum[static_cast<size_t>(d)] / total);
      }
}

TEST(AttentionProblem, TakesTheFormulaInEveryLayout) {
  for (const Layout layout : {Layout::dense, Layout::padded, Layout::heads_first}) {
    ProblemShape shape;
    shape.layout = layout;
    shape.keys = 7;
    AttentionProblem problem(shape);
    EXPECT_NE(problem.fault(false).find("elements of out are not written"), std::string::npos) << problem.fault(false);
    attend(problem);
    EXPECT_EQ(problem.fault(false), "");
  }
}

TEST(AttentionProblem, SaysWhatIsWrong) {
  AttentionProblem problem(ProblemShape{});
  attend(problem);
  Out (*problem.args().out)(1, 2, 3, 4) += 1;
  EXPECT_NE(problem.fault(false).find("out differs from the formula"), std::string::npos) << problem.fault(false);
  EXPECT_EQ(problem.fault(true), "") << "an approximation may differ";
  TensorView<float, 4> (*problem.args().q)(0, 0, 0, 0) = 9;
  EXPECT_NE(problem.fault(true).find("run changed its inputs"), std::string::npos) << problem.fault(true);
}

TEST(AttentionProblem, SeesThatMasksAreOnlyRead) {
  ProblemShape shape;
  shape.masks = FV_MASK_BOOLEAN | FV_MASK_KEY_LENGTHS;
  for (const bool of_mask : {true, false}) {
    AttentionProblem problem(shape);
    attend(problem);
    EXPECT_EQ(problem.fault(true), "");
    if (of_mask)
      TensorView<bool, 4> (*problem.args().mask)(0, 0, 1, 2) ^= true;
    else
      TensorView<int32_t, 1> (*problem.args().key_lengths)(1) += 1;
    EXPECT_NE(problem.fault(true).find("run changed its inputs"), std::string::npos) << problem.fault(true);
  }
}

// Against the answers themselves: zeros pass where a query sees no key, and nothing else does.
TEST(AttentionProblem, AQueryThatSeesNoKeyHasTheSumOverNone) {
  ProblemShape shape;
  shape.masks = FV_MASK_KEY_LENGTHS;
  shape.has_closed_rows = true;
  shape.batch = 1;
  shape.require = FV_REQUIRE_LOG_SUM_EXP;
  AttentionProblem problem(shape);
  const Out out(*problem.args().out);
  const TensorView<float, 3> log_sum_exp(*problem.args().log_sum_exp);
  for (int64_t i = 0; i < shape.queries; ++i)
    for (int64_t h = 0; h < shape.query_heads; ++h) {
      for (int64_t d = 0; d < shape.head_size; ++d) out(0, i, h, d) = 0;
      log_sum_exp(0, h, i) = -INFINITY;
    }
  EXPECT_EQ(problem.fault(false), "");
  log_sum_exp(0, 1, 2) = 0;
  EXPECT_NE(problem.fault(false).find("log_sum_exp is 0 for a query that sees no key"), std::string::npos);
  out(0, 0, 0, 5) = 1;
  EXPECT_NE(problem.fault(false).find("out holds 1 for a query that sees no key"), std::string::npos);
}

}  // namespace
}  // namespace fastvideo::testing
