// Two plugins for one class of model: nobody is taken in silence.
#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::Program;

class RivalPlugin : public Program {
 protected:
  RivalPlugin() { setenv("FASTVIDEO_PLUGIN_PATH", FASTVIDEO_RIVAL_PLUGINS, 1); }
  ~RivalPlugin() override { unsetenv("FASTVIDEO_PLUGIN_PATH"); }

  // Puts the plugins for tests into the place of the installation's own.
  void install_the_usual_ones() const {
    const auto plugins = folder_.path() / "lib" / "fastvideo" / "plugins";
    std::filesystem::create_directories(plugins);
    std::filesystem::copy(FASTVIDEO_TEST_PLUGINS, plugins, std::filesystem::copy_options::recursive);
  }
  CommandResult explained(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"explain", "--model-path", model().string(), "--set", "attention.default=FORMULA"};
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  }
};

TEST_F(RivalPlugin, GivesWayToTheInstallationsOwnWithAWord) {
  install_the_usual_ones();
  const CommandResult result = explained();
  EXPECT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.output, "fake/cpu of org.fastvideo.test.pipeline"));
  EXPECT_TRUE(contains(result.error_output, "the class FakePipeline is served by several plugins"));
  EXPECT_TRUE(contains(result.error_output, "--pipeline NAME takes another"));
  EXPECT_TRUE(contains(result.error_output, "org.example.rival"));
  for (const char* name : {"rival", "RIVAL/cpu"}) {
    const CommandResult chosen = explained({"--pipeline", name});
    EXPECT_TRUE(contains(chosen.output, "rival/cpu of org.example.rival"));
    EXPECT_FALSE(chosen.error_output.find("several plugins") != std::string::npos) << chosen.error_output;
  }
  EXPECT_TRUE(contains(explained({"--pipeline", "fake"}).output, "fake/cpu of org.fastvideo.test.pipeline"));
}

TEST_F(RivalPlugin, IsRefusedWhereNeitherIsTheInstallations) {
  const std::vector<std::string> both{"--plugin-dir", FASTVIDEO_TEST_PLUGINS};
  expect_refused(explained(both), "choose one with --pipeline fake/cpu");
  EXPECT_TRUE(contains(explained(both).error_output, "rival/cpu"));
  std::vector<std::string> chosen = both;
  chosen.insert(chosen.end(), {"--pipeline", "rival"});
  EXPECT_TRUE(contains(explained(chosen).output, "rival/cpu of org.example.rival"));
}

TEST_F(RivalPlugin, AndANameThatIsNoneAreRefused) {
  install_the_usual_ones();
  expect_refused(explained({"--pipeline", "rivel"}),
                 "no installed pipeline called 'rivel' serves the class FakePipeline");
  EXPECT_TRUE(contains(explained({"--pipeline", "rivel"}).error_output, "did you mean 'rival'?"));
}

}  // namespace
}  // namespace fastvideo::host
