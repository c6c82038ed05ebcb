// Plugins that refuse late, break the contract or hand over nonsense: the next one comes where the choice was ours, and
// where it was not, the right one is named.
#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::Program;
using test::read;

class ClumsyPlugin : public Program {
 protected:
  static std::vector<std::string> with(std::vector<std::string> all, const std::vector<std::string>& more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

// SWIFT says that it is the fastest, so auto takes it; FORMULA is next.
TEST_F(ClumsyPlugin, APlanThatIsNoGoodGivesWayToTheNextCandidate) {
  const std::string exact = (folder_.path() / "exact.y4m").string();
  ASSERT_EQ(generate({"--attention-backend", "FORMULA", "--output-path", exact}).status.code, 0);
  for (const auto& [fault, why] : {std::pair{"refuses_plan", "no licence key; ask for one"},
                                   {"plan", "plan broke"},
                                   {"full_plan", "out of memory"},
                                   {"worse", "its plan is approximate where it had promised reordered"}})
    for (const char* self_test : {"true", "false"}) {
      // In a file: a flag of a backend that serves nothing in the end would be refused.
      const auto config = folder_.write("faulty.toml", std::string("[attention.SWIFT]\nfault = \"") + fault + "\"\n");
      const std::vector<std::string> faulty{"--config", config.string(), "--set",
                                            std::string("attention.self_test=") + self_test};
      const CommandResult free = generate(faulty);
      EXPECT_EQ(free.status.code, 0) << fault << free.error_output;
      EXPECT_TRUE(contains(free.error_output, "SWIFT/cpu at dit.self")) << fault;
      EXPECT_TRUE(contains(free.error_output, why)) << fault;
      EXPECT_TRUE(contains(free.output, "FORMULA/cpu")) << fault;
      EXPECT_EQ(read(output()), read(exact)) << fault;
      EXPECT_EQ(explain(faulty).status.code, 0) << fault;
      EXPECT_TRUE(contains(explain(faulty).output, why)) << fault;

      const std::vector<std::string> permitted =
          with(faulty, {"--attention-backend", "SWIFT/cpu", "--set", "attention.fallback=FORMULA"});
      const CommandResult replaced = generate(permitted);
      EXPECT_EQ(replaced.status.code, 0) << fault << replaced.error_output;
      EXPECT_TRUE(contains(replaced.error_output, "FORMULA/cpu stands in for SWIFT/cpu")) << fault;

      const CommandResult forced = generate(with(faulty, {"--attention-backend", "SWIFT/cpu"}));
      EXPECT_TRUE(forced.status.code == 1 || forced.status.code == 2) << fault;
      EXPECT_TRUE(contains(forced.error_output, why)) << fault;
      EXPECT_TRUE(contains(forced.error_output, "dit.self cannot be served as configured: SWIFT/cpu")) << fault;
    }
  expect_refused(generate({"--attention-backend", "SWIFT/cpu", "--swift-fault", "refuses_plan"}), "no licence key");
}

TEST_F(ClumsyPlugin, AnOrderOfTokensThatIsNoneGivesWayToo) {
  for (const auto& [order, why] :
       {std::pair{"twice", "a second time"}, {"outside", "outside of 0.."}, {"short", "entries for "}}) {
    const std::vector<std::string> faulty{"--set", "attention.numerics=exact,reordered,approximate",
                                          "--set", "attention.priority=TILED/cpu",
                                          "--set", std::string("attention.TILED.order=") + order};
    const CommandResult free = generate(faulty);
    EXPECT_EQ(free.status.code, 0) << order << free.error_output;
    EXPECT_TRUE(contains(free.error_output, "TILED/cpu at dit.self")) << order;
    EXPECT_TRUE(contains(free.error_output, why)) << order << free.error_output;
    const CommandResult forced = generate(with(faulty, {"--attention-backend", "dit.self=TILED/cpu"}));
    EXPECT_EQ(forced.status.code, 1) << order << forced.error_output;
    EXPECT_TRUE(contains(forced.error_output, why)) << order;
  }
}

TEST_F(ClumsyPlugin, AFreeChoiceSuitsTheOrderOfAForcedOne) {
  // dit.joint may take TILED/other, which wants another order than the TILED/cpu that dit.self was given.
  const CommandResult result =
      generate({"--behaviour", "joint", "--set", "attention.numerics=exact,reordered,approximate", "--set",
                "attention.priority=TILED/other", "--attention-backend", "dit.self=TILED/cpu"});
  EXPECT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.error_output, "different orders")) << result.error_output;
  EXPECT_TRUE(contains(result.output, "TILED/cpu")) << result.output;
}

class ClumsyStrategy : public ClumsyPlugin {
 protected:
  CommandResult with_fault(const std::string& fault, bool ahead, const std::string& command = "generate") {
    folder_.write("video.y4m", "what was here");
    std::vector<std::string> all{"--cache-strategy",
                                 "every_other",
                                 "--every-other-fault",
                                 fault,
                                 "--set",
                                 std::string("cache.every_other.ahead=") + (ahead ? "true" : "false")};
    if (command == "generate") all = with(all, {"--prompt", "a red circle", "--seed", "7"});
    return run(request(command, all));
  }
};

TEST_F(ClumsyStrategy, WhoseNumbersAreNoneIsNamed) {
  for (const bool ahead : {true, false})
    for (const auto& [fault, why] : {std::pair{"nan", "at step 2 of 3 its coefficient 0 is not written or not finite"},
                                     {"infinite", "at step 2 of 3 its coefficient 1 is not written or not finite"},
                                     {"hasty", "at step 1 of 3 it combines slot 0, which holds nothing"}}) {
      const CommandResult result = with_fault(fault, ahead);
      EXPECT_EQ(result.status.code, 1) << fault << result.error_output;
      EXPECT_TRUE(
          contains(result.error_output, std::string("every_other/policy breaks the contract of caching: ") + why))
          << fault;
      EXPECT_EQ(read(output()), "what was here");
    }
  const CommandResult explained = with_fault("nan", /*ahead=*/true, "explain");
  EXPECT_EQ(explained.status.code, 1) << explained.output;
  EXPECT_TRUE(contains(explained.error_output, "every_other/policy breaks the contract of caching"));
}

TEST_F(ClumsyStrategy, WhosePlanCannotBeIsNamed) {
  for (const char* command : {"generate", "explain"})
    for (const auto& [fault, why] : {std::pair{"null_signal", "a measure's signal is NULL"},
                                     {"norm", "measures 'latent.in' by the unknown norm 9"},
                                     {"minus", "what is subtracted from 'latent.in', 7, is unknown"},
                                     {"keep", "a slot keeps 9, which is unknown"},
                                     {"back", "a slot is 100 steps back, in a loop of 3"},
                                     {"other_branch", "a slot's other branch is 5 of 2"}}) {
      const CommandResult result = with_fault(fault, /*ahead=*/false, command);
      EXPECT_EQ(result.status.code, 1) << command << fault << result.error_output;
      EXPECT_TRUE(contains(result.error_output, "every_other/policy breaks the contract of caching: ")) << fault;
      EXPECT_TRUE(contains(result.error_output, why)) << fault;
    }
}

TEST_F(ClumsyStrategy, ThatLeavesOutNothingIsSaid) {
  const CommandResult result =
      generate({"--cache-strategy", "every_other", "--set",
                "cache.every_other.period_file=" + folder_.write("period.json", "{\"period\": 1}").string()});
  EXPECT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.error_output, "every_other/policy left out nothing of 6 passes"));
}

TEST_F(ClumsyPlugin, APipelineThatHandsOverNonsenseIsNamed) {
  for (const auto& [behaviour, code, why] :
       {std::tuple{"no_tokens", 2, "the attention site dit.self has 0 queries and 0 keys"},
        {"null_role", 1, "an attention site has no role"},
        {"null_site", 1, "an attention site is NULL"},
        {"null_signal", 1, "the name of its signal 0 is NULL"},
        {"no_steps", 1, "it has 0 steps"},
        {"null_loop", 1, "what it offers to caching is NULL"},
        {"null_names", 0, ""},
        {"keeps_elsewhere", 1, "caching keeps in the stage 'dreaming', of which it gives no peak"},
        {"keeps_what", 1, "caching keeps of 'colour', which is neither \"blocks\" nor a signal that it offers"},
        {"wrong_type", 1, "gave float32 [1, 8, 12, 3] on cpu as frames, which are uint8 [frames, 8, 12, 3] on the CPU"},
        {"null_shape", 1, "whose data, shape or strides are NULL"},
        {"negative_frames", 1, "gave uint8 [-1, 8, 12, 3] on cpu as frames"},
        {"small_site", 1, "an attention site has 8 bytes, this ABI needs "},
        {"small_loop", 1, "its fv_cache_session_info has 8 bytes, this ABI needs "},
        {"odd_device", 1, "the attention site text.self is on device type 99, which is unknown"},
        {"odd_type", 1, "the attention site text.self is of type code 99, 32 bits, 1 lanes, which is no type"},
        {"no_bits", 1, "the attention site text.self is of float0, which is no type"},
        {"odd_mask", 1, "the attention site text.self has the unknown mask 1073741824"},
        {"odd_requirement", 1, "the attention site text.self has the unknown requirement 1152921504606846976"},
        {"null_input", 1, "the attention site text.self counts 2 further inputs and does not name them"},
        {"many_inputs", 1, "the attention site text.self counts 2147483648 further inputs"}}) {
    folder_.write("video.y4m", "what was here");
    const CommandResult result = generate({"--behaviour", behaviour});
    EXPECT_EQ(result.status.describe(), "exit code " + std::to_string(code)) << behaviour << result.error_output;
    EXPECT_TRUE(contains(result.error_output, why)) << behaviour;
    EXPECT_FALSE(result.error_output.find("self-test") != std::string::npos) << result.error_output;
    if (code != 0) {
      EXPECT_EQ(read(output()), "what was here") << behaviour;
    }
  }
}

TEST_F(ClumsyPlugin, OptionsAreExplainedWithTheirPlaces) {
  const CommandResult result = explain({"--attention-backend", "SWIFT/cpu", "--swift-fault", "none", "--cache-strategy",
                                        "every_other", "--set", "cache.every_other.ahead=true"});
  EXPECT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.output, "SWIFT/cpu"));
  EXPECT_NE(result.output.find("fault  \"none\"  --swift-fault"), std::string::npos) << result.output;
  EXPECT_NE(result.output.find("ahead  true    --set cache.every_other.ahead"), std::string::npos) << result.output;
}

TEST_F(ClumsyPlugin, WordsThatAreNoCommandAreAnsweredWithHelp) {
  const CommandResult install = run({"plugins", "install", "acme"});
  EXPECT_EQ(install.status.code, 2);
  EXPECT_TRUE(contains(install.error_output, "`plugins` has no command 'install'"));
  EXPECT_TRUE(contains(install.error_output, "it has show, check"));
  EXPECT_TRUE(contains(install.error_output, "FASTVIDEO_PLUGIN_PATH"));
  EXPECT_TRUE(contains(run({"plugins", "chekc", "x"}).error_output, "did you mean 'check'?"));
  EXPECT_TRUE(contains(run({"bench", "atention"}).error_output, "did you mean 'attention'?"));
}

TEST_F(ClumsyPlugin, AFolderOfPluginsThatIsNotThereIsSaid) {
  setenv("FASTVIDEO_PLUGIN_PATH", (folder_.path().string() + "/nowhere:" FASTVIDEO_TEST_PLUGINS).c_str(), 1);
  for (const CommandResult& result :
       {run({"plugins"}), run({"plugins", "show", "SWIFT"}),
        run({"explain", "--model-path", model().string(), "--set", "attention.default=FORMULA"})}) {
    EXPECT_EQ(result.status.code, 0) << result.error_output;
    EXPECT_TRUE(contains(result.error_output, "/nowhere does not exist"));
  }
  EXPECT_TRUE(contains(run({"plugins"}).output, "SWIFT/cpu"));
  unsetenv("FASTVIDEO_PLUGIN_PATH");
}

}  // namespace
}  // namespace fastvideo::host
