// Plugins that overwrite what the host lends them to fill: pointers come back to where they were, and numbers that
// cannot be are refused with the name of whoever said them.
#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::Program;
using test::read;

class LentStruct : public Program {
 protected:
  // "cache.decide=null_pointer"
  CommandResult generate_while(const std::string& act, const std::vector<std::string>& more) {
    folder_.write("video.y4m", "what was here");
    setenv("FAKE_DOES", act.c_str(), 1);
    CommandResult result = generate(more);
    unsetenv("FAKE_DOES");
    return result;
  }
  void expect_failed(const CommandResult& result, int code, const std::string& act, const std::string& part) {
    EXPECT_EQ(result.status.describe(), "exit code " + std::to_string(code)) << act << ": " << result.error_output;
    EXPECT_TRUE(contains(result.error_output, part)) << act;
    EXPECT_EQ(read(output()), "what was here") << act;
  }
  static std::vector<std::string> cached(bool ahead) {
    return {"--cache-strategy", "every_other", "--set",
            ahead ? "cache.every_other.ahead=true" : "cache.every_other.ahead=false"};
  }
  static std::vector<std::string> swift(bool self_test) {
    return {"--attention-backend", "SWIFT/cpu", "--set",
            self_test ? "attention.self_test=true" : "attention.self_test=false"};
  }
};

TEST_F(LentStruct, OfAStrategysAnswers) {
  for (const bool ahead : {false, true}) {
    const std::string function = ahead ? "cache.schedule=" : "cache.decide=";
    for (const char* act : {"null_pointer", "odd_pointer", "own_pointer"})
      expect_failed(generate_while(function + act, cached(ahead)), 1, function + act,
                    "every_other/policy breaks the contract of caching: it put another pointer in the place of the "
                    "coefficients, whose room it is to fill; report this to the plugin's author");
    expect_failed(generate_while(function + "spoil_text", cached(ahead)), 2, function,
                  "threw an exception across the ABI: thrown on purpose");
    EXPECT_EQ(generate_while(function + "struct_size", cached(ahead)).status.code, 0);
  }
  EXPECT_EQ(generate_while("cache.open=struct_size", cached(false)).status.code, 0);
  expect_failed(generate_while("cache.decide=odd_status", cached(false)), 1, "odd_status",
                "every_other/policy: decide gave the unknown status 99 and no reason; report this");
  expect_failed(generate_while("cache.supports=neither", cached(false)), 1, "neither",
                "it says neither yes nor no to a session (supported = 7)");
  expect_failed(generate_while("cache.supports=null_pointer", cached(false)), 2, "null_pointer",
                "caching with every_other/policy is not possible here");
}

TEST_F(LentStruct, OfABackendsAnswers) {
  for (const bool self_test : {false, true})
    for (const auto& [act, part] :
         {std::pair{"plan=numerics", "its plan's numerics are unknown (99)"},
          {"plan=depends", "its plan depends on 9, of which the bits 8 are unknown"},
          {"plan=can_capture", "its plan's can_capture is 2, neither 0 nor 1"},
          {"plan=resident", "its plan asks for 1152921504606846976 resident and 4096 scratch bytes, and cpu has "},
          {"plan=scratch", "its plan asks for 1024 resident and 1152921504606846976 scratch bytes, and cpu has "},
          {"plan=both", "its plan asks for 9223372036854775808 resident and 9223372036854775808 scratch bytes"},
          {"supports=neither", "says neither yes nor no (supported = 7): a fault of the plugin"},
          {"supports=numerics", "its numerics would be unknown (99) where its manifest promises reordered at worst"},
          {"supports=null_pointer", "dit.self cannot be served as configured: SWIFT/cpu"},
          {"plan=spoil_text", "threw an exception across the ABI: thrown on purpose"}}) {
      const CommandResult result = generate_while(std::string("attention.") + act, swift(self_test));
      EXPECT_TRUE(result.status.code == 1 || result.status.code == 2) << act << result.status.describe();
      EXPECT_TRUE(contains(result.error_output, part)) << act;
      EXPECT_TRUE(contains(result.error_output, "SWIFT/cpu")) << act;
      EXPECT_TRUE(contains(result.error_output, "dit.self")) << act;
      EXPECT_EQ(read(output()), "what was here") << act;
    }
  EXPECT_EQ(generate_while("attention.plan=struct_size", swift(false)).status.code, 0);
}

// A calibration that passes over what its writer says has written less than it means.
TEST_F(LentStruct, OfACalibrationsWriter) {
  const std::string data = folder_.write("period.json", "what was here").string();
  std::vector<std::string> calibrate = request("calibrate", {"--prompt", "a red circle", "--output", data});
  calibrate.insert(calibrate.begin() + 1, "every_other");
  for (const auto& [act, part] :
       {std::pair{"null_text", "the calibration writes 5 bytes that are NULL"},
        {"too_long", "the calibration writes more than the 16 MiB that a data file may have"}}) {
    setenv("FAKE_DOES", (std::string("calibration.finish=") + act).c_str(), 1);
    const CommandResult result = run(calibrate);
    unsetenv("FAKE_DOES");
    EXPECT_EQ(result.status.describe(), "exit code 1") << act << result.error_output;
    EXPECT_TRUE(contains(result.error_output, std::string("every_other/policy: ") + part)) << act;
    EXPECT_EQ(read(data), "what was here") << act;
  }
}

}  // namespace
}  // namespace fastvideo::host
