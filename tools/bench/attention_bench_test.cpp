#include <gtest/gtest.h>

#include <cmath>
#include <fastvideo/tensor_view.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tools/bench/attention_bench.hpp"
#include "tools/bench/attention_reference.hpp"
#include "tools/bench/test_bench.hpp"

namespace fastvideo::host {
namespace {

using fastvideo::testing::Elements;
using test::contains;
using test::refusal;

TEST(AttentionShape, IsParsedOrRefused) {
  const AttentionShape shape = parse_attention_shape("2,12,4096,128x512");
  EXPECT_EQ(shape.batch, 2);
  EXPECT_EQ(shape.heads, 12);
  EXPECT_EQ(shape.queries, 4096);
  EXPECT_EQ(shape.head_size, 128);
  EXPECT_EQ(shape.keys, 512);
  EXPECT_EQ(parse_attention_shape("1,2,3,4").keys, 3);
  EXPECT_EQ(shape.text(), "2,12,4096,128x512");
  EXPECT_DOUBLE_EQ(shape.operations(), 4.0 * 2 * 12 * 4096 * 512 * 128);
  for (const char* bad : {"", "1,2,3", "1,2,3,4,5", "1,2,3,4x", "1,2,3x4", "a,2,3,4", "1,,3,4", "0,2,3,4", "1,-2,3,4",
                          "1,2,3,4x5x6", "1,2,3,4 ", "99999999999999999999,1,1,1", "1000000,1000000,8,8"})
    EXPECT_TRUE(contains(refusal([&] { parse_attention_shape(bad); }), "a shape is B,H,L,D")) << bad;
}

// Without services: on this thread.
const Host& alone() {
  static const fv_services none = {sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "test",
                                   [](const fv_services*, const char*) -> const void* { return nullptr; }};
  static const Host host(&none);
  return host;
}

TEST(AttentionReference, IsTheFormula) {
  const AttentionShape shape{2, 3, 5, 7, 4};
  const AttentionInputs in(shape, kFloat32, 9, alone());
  const auto at = [&](const Elements& t, int64_t length, int64_t b, int64_t l, int64_t h, int d) {
    return double{t.at(static_cast<size_t>(((b * length + l) * 3 + h) * 4 + d))};
  };
  for (const ReferenceRow& row : reference_rows(shape, in, 0.5, 8, 1, alone())) {
    std::vector<double> weight(7);
    double total = 0;
    for (int j = 0; j < 7; ++j) {
      double dot = 0;
      for (int d = 0; d < 4; ++d)
        dot += at(in.q, 5, row.batch, row.query, row.head, d) * at(in.k, 7, row.batch, j, row.head, d);
      total += weight[static_cast<size_t>(j)] = std::exp(dot / 2);
    }
    for (int d = 0; d < 4; ++d) {
      double sum = 0;
      for (int j = 0; j < 7; ++j)
        sum += weight[static_cast<size_t>(j)] / total * at(in.v, 7, row.batch, j, row.head, d);
      EXPECT_NEAR(row.out[static_cast<size_t>(d)], sum, 1e-13);  // float64, another order
    }
  }
}

TEST(AttentionReference, SeesWhatWasNotWritten) {
  const AttentionShape shape{1, 1, 2, 2, 4};
  Elements out(8, kFloat32);
  const std::vector<ReferenceRow> rows{{0, 0, 0, {3, 4, 0, 0}}};
  EXPECT_DOUBLE_EQ(compare(shape, out, rows, alone()).relative, 1);
  EXPECT_DOUBLE_EQ(compare(shape, out, rows, alone()).largest, 4);
  out.set(7, std::nanf(""));
  EXPECT_THROW(compare(shape, out, rows, alone()), std::runtime_error);
}

TEST(AttentionReference, InputsAreNormalAndDiffer) {
  const Elements a = normal_elements(200000, kFloat32, 1, alone()), b = normal_elements(200000, kFloat32, 2, alone());
  double sum = 0, squares = 0, products = 0;
  for (size_t i = 0; i < 200000; ++i) {
    sum += a.at(i);
    squares += double{a.at(i)} * a.at(i);
    products += double{a.at(i)} * b.at(i);
  }
  // Of 200,000 numbers the mean deviates by 0.0022, the variance by 0.0032, their correlation by 0.0022: five times
  // that.
  EXPECT_NEAR(sum / 200000, 0, 0.011);
  EXPECT_NEAR(squares / 200000, 1, 0.016);
  EXPECT_NEAR(products / 200000, 0, 0.011);
  EXPECT_NE(a.at(0), a.at(1 << 16)) << "the next piece";
}

TEST(AttentionBench, TimesBackendsAndMeasuresTheirErrors) {
  test::TestBench bench;
  const BenchReport report = bench.attention({.shapes = {"1,2,9,8", "2,1,6,4x5"},
                                              .backends = {"FORMULA,SWIFT/cpu"},
                                              .repeat = "3",
                                              .json = bench.path("a.json")});
  EXPECT_EQ(report.failure, "");
  EXPECT_TRUE(contains(report.text, "SWIFT/cpu (swift_kernel)"));
  EXPECT_TRUE(contains(report.text, "No ceiling: none of these backends offers a matrix product"));
  std::ifstream file(bench.path("a.json"));
  const auto json = nlohmann::json::parse(file);
  ASSERT_EQ(json["shapes"].size(), 2U);
  for (const auto& shape : json["shapes"])
    for (const auto& one : shape["backends"]) {
      EXPECT_EQ(one["seconds"].size(), 3U);
      EXPECT_LT(one["relative_error"], 1e-6) << "float32 output of a float64 sum: 2^-24 each";
      EXPECT_GT(one["relative_error"], 0);
      EXPECT_DOUBLE_EQ(one["estimate_seconds"], one["asked"] == "FORMULA" ? 20e-6 : 10e-6);
    }
}

TEST(AttentionBench, TimesAMatrixProductWhereABackendOffersOne) {
  test::TestBench bench;
  const BenchReport report = bench.attention(
      {.shapes = {"1,1,4,4"}, .backends = {"SWIFT/cpu,RECORDER"}, .repeat = "2", .json = bench.path("a.json")});
  EXPECT_EQ(report.failure, "");
  EXPECT_FALSE(contains(report.text, "No ceiling"));
  std::ifstream file(bench.path("a.json"));
  const auto shape = nlohmann::json::parse(file)["shapes"][0];
  ASSERT_EQ(shape["backends"].size(), 3U);
  const auto& product = shape["backends"][2];
  EXPECT_EQ(product["asked"], "matrix product 512");
  EXPECT_EQ(product["backend"], "RECORDER/cpu");
  EXPECT_EQ(product["seconds"].size(), 2U);
  EXPECT_NEAR(product["tflops"], 2.0 * 512 * 512 * 512 / product["median_seconds"].get<double>() / 1e12, 1e-9);
  EXPECT_LT(product["relative_error"], 1e-5) << "512 additions in float32, 2^-24 each";
}

TEST(AttentionBench, ABackendThatCannotGetsALineAndNoTime) {
  test::TestBench bench;
  const BenchReport report =
      bench.attention({.shapes = {"1,1,4,4"}, .backends = {"FORMULA,SWIFT:fault=run,SWIFT/picky"}});
  EXPECT_EQ(report.failure, "without a time: SWIFT:fault=run at 1,1,4,4, SWIFT/picky at 1,1,4,4");
  EXPECT_TRUE(contains(report.text, "SWIFT:fault=run: no time: "));
  EXPECT_TRUE(contains(report.text, "head size 7 only"));
}

TEST(AttentionBench, BadRequestsAreRefused) {
  test::TestBench bench;
  const auto refused = [&](const AttentionBenchFlags& flags, const std::string& part) {
    EXPECT_TRUE(contains(refusal([&] { bench.attention(flags); }), part));
  };
  refused({.backends = {"FORMULA"}}, "no shape is given");
  refused({.shapes = {"1,1,4,4"}}, "no backend is given");
  refused({.shapes = {"1,1,4,4"}, .backends = {"FORMULAE"}}, "did you mean 'FORMULA'?");
  refused({.shapes = {"1,1,4,4"}, .backends = {"FORMULA,FORMULA"}}, "'FORMULA' is there twice");
  refused({.shapes = {"1,1,4,4"}, .backends = {"FORMULA"}, .dtype = "int8"}, "--dtype int8: one of float32");
  refused({.shapes = {"1,1,4,4"}, .backends = {"FORMULA"}, .repeat = "0"}, "--repeat 0");
  refused({.shapes = {"1,1,4,3"}, .backends = {"FORMULA"}}, "is not a multiple of 16 bytes; take a multiple of 4");
  refused({.shapes = {"1,1,4,4"}, .backends = {"FORMULA"}, .json = "a.txt"}, "ends in .json");
  refused({.shapes = {"1,1,4,4"}, .backends = {"SWIFT/picky"}}, "no backend could be timed");
  bench.give(test::flag("run.device", "cuda:99"));
  refused({.shapes = {"1,1,4,4"}, .backends = {"FORMULA"}}, "device cuda:99");
}

}  // namespace
}  // namespace fastvideo::host
