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

}  // namespace
}  // namespace fastvideo::testing
