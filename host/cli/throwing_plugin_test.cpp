// Plugins whose functions throw across the ABI, whichever it is: the run ends with their name, or where nothing but an
// object was to be destroyed, goes on.
#include "host/cli/program_fixture.hpp"

namespace fastvideo {
namespace {

using test::contains;
using test::Program;
using test::read;

class ThrowingPlugin : public Program {
 protected:
  // A run in which every function of the test plugins is called.
  CommandResult generate_with(const std::string& function, bool self_test) {
    folder_.write("video.y4m", "what was here");
    setenv("FAKE_THROWS", function.c_str(), 1);
    CommandResult result = generate({"--attention-backend", "SWIFT/cpu", "--cache-strategy", "every_other", "--set",
                                     std::string("attention.self_test=") + (self_test ? "true" : "false")});
    unsetenv("FAKE_THROWS");
    return result;
  }
};

TEST_F(ThrowingPlugin, IsNamedAndNothingIsWritten) {
  const std::string thrown =
      " threw an exception across the ABI: thrown on purpose; report this to the plugin's author";
  for (const bool self_test : {true, false})
    for (const auto& [kind, name, functions] :
         {std::tuple<std::string, std::string, std::vector<std::string>>{
              "attention", "SWIFT/cpu", {"create", "supports", "plan", "prepare", "run"}},
          {"cache", "every_other/policy", {"create", "supports", "open", "decide", "observe"}},
          {"pipeline", "fake/cpu", {"create", "check", "run"}}})
      for (const std::string& function : functions) {
        const CommandResult result = generate_with(kind + "." + function, self_test);
        EXPECT_EQ(result.status.code, 2) << kind << " " << function << ": " << result.error_output;
        EXPECT_TRUE(contains(result.error_output, function + thrown));
        EXPECT_TRUE(contains(result.error_output, name));
        EXPECT_EQ(read(output()), "what was here") << kind << " " << function;
      }
}

TEST_F(ThrowingPlugin, WhileItIsDestroyedIsLogged) {
  for (const char* function :
       {"attention.destroy_plan", "attention.destroy", "cache.close", "cache.destroy", "pipeline.destroy"}) {
    const CommandResult result = generate_with(function, /*self_test=*/true);
    EXPECT_EQ(result.status.code, 0) << function << ": " << result.error_output;
    const std::string name = std::string(function).substr(std::string(function).find('.') + 1);
    EXPECT_TRUE(contains(result.error_output, name + " threw an exception across the ABI: thrown on purpose"));
    EXPECT_TRUE(read(output()).starts_with("YUV4MPEG2")) << function;
  }
}

}  // namespace
}  // namespace fastvideo
