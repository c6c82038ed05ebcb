// Presets from outside: which one a model gets, and what outranks it.
#include <regex>

#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::Program;

class Presets : public Program {
 protected:
  void configure(const std::string& json) { folder_.write("model/config.json", json); }

  // Whether explain shows a row "name value note".
  static bool has_row(const CommandResult& result, const std::string& row) {
    return std::regex_search(result.output, std::regex("\n +" + row + "\n"));
  }
};

TEST_F(Presets, TheModelsConfigurationPicksOne) {
  EXPECT_TRUE(has_row(explain(), "preset +none *"));
  EXPECT_TRUE(has_row(explain(), "num_inference_steps +3 +default"));
  configure(R"({"kind": "one"})");
  const CommandResult result = explain();
  EXPECT_TRUE(has_row(result, "preset +small +Few steps")) << result.output;
  EXPECT_TRUE(has_row(result, "num_inference_steps +2 +preset small"));
  EXPECT_TRUE(has_row(result, "guidance_scale +1.0 +preset small"));
  EXPECT_TRUE(has_row(result, "height +8 +default"));
  EXPECT_TRUE(contains(result.output, "2 steps of 1 branch"));
  EXPECT_TRUE(has_row(explain({"--preset", "Large"}), "num_inference_steps +7 +preset large"));
  EXPECT_TRUE(has_row(explain({"--preset", "none"}), "num_inference_steps +3 +default"));
}

TEST_F(Presets, WhateverSomeoneGivesOutranksIt) {
  configure(R"({"kind": "one"})");
  const std::string config = folder_.write("c.toml", "[request]\nnum_inference_steps = 4\n").string();
  const CommandResult file = explain({"--config", config});
  EXPECT_TRUE(has_row(file, "num_inference_steps +4 +" + config + ":2:1"));
  EXPECT_TRUE(has_row(file, "overrides 2 of preset small"));
  EXPECT_TRUE(has_row(explain({"--config", config, "--num-inference-steps", "5"}),
                      "num_inference_steps +5 +--num-inference-steps"));
}

TEST_F(Presets, SeveralWithoutADefaultAskForOne) {
  configure(R"({"kind": "two", "layers": [1, 2]})");
  expect_refused(explain(),
                 "choose one with --preset NAME, or --preset none:\n    left  One of two\n    right  The other");
  EXPECT_EQ(explain({"--preset", "left"}).status.code, 0);
  configure(R"({"kind": "two", "layers": [1, 3]})");
  EXPECT_TRUE(has_row(explain(), "preset +right +The other of two"));
}

TEST_F(Presets, WhatDoesNotApplyIsRefused) {
  expect_refused(explain({"--preset", "small"}), "--preset: this model has no preset 'small'; none is known");
  configure(R"({"kind": "one"})");
  expect_refused(explain({"--preset", "lorge"}), "did you mean 'large'?");
  expect_refused(explain({"--preset", "left"}), "it has\n    small  Few steps\n    large  Many steps");
  configure("not JSON");
  EXPECT_TRUE(has_row(explain(), "preset +none *"));
}

}  // namespace
}  // namespace fastvideo::host
