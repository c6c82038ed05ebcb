#include "host/config/installation.hpp"

#include <gtest/gtest.h>

#include <map>

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;
using Files = std::vector<std::filesystem::path>;

Environment environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

TEST(Installation, IsFoundFromTheFileThatHoldsTheCode) {
  EXPECT_EQ(Installation::of_this_library().prefix, std::filesystem::canonical(FASTVIDEO_BINARY_DIR));
}

TEST(ConfigFiles, NamedFileReplacesTheUsers) {
  const test::TemporaryFolder folder;
  const Installation installation{folder.path() / "prefix"};
  const auto install = folder.write("prefix/lib/fastvideo/install.toml", "");
  const auto user = folder.write("xdg/fastvideo/fastvideo.toml", "");
  const auto home = folder.write("home/.config/fastvideo/fastvideo.toml", "");
  const auto named = folder.write("named.toml", "");
  const std::string xdg_dir = (folder.path() / "xdg").string();
  const std::string home_dir = (folder.path() / "home").string();
  const auto files = [&](std::map<std::string, std::string> variables, std::optional<std::filesystem::path> file = {}) {
    return config_files(installation, file, environment(std::move(variables)));
  };

  EXPECT_EQ(files({}), Files{install});
  EXPECT_EQ(files({{"HOME", home_dir}}), (Files{install, home}));
  EXPECT_EQ(files({{"HOME", home_dir}, {"XDG_CONFIG_HOME", xdg_dir}}), (Files{install, user}));
  EXPECT_EQ(files({{"HOME", home_dir}, {"XDG_CONFIG_HOME", "relative"}}), (Files{install, home}));
  EXPECT_EQ(files({{"HOME", folder.path().string()}}), Files{install}) << "the user needs none";
  EXPECT_EQ(files({{"HOME", home_dir}, {"FASTVIDEO_CONFIG", named.string()}}), (Files{install, named}));
  EXPECT_EQ(files({{"FASTVIDEO_CONFIG", "/none.toml"}}, named), (Files{install, named})) << "--config outranks it";
  EXPECT_TRUE(contains(refusal([&] {
                         files({{"FASTVIDEO_CONFIG", "/none.toml"}});
                       }),
                       "FASTVIDEO_CONFIG: the configuration file /none.toml does not exist"));
  EXPECT_TRUE(contains(refusal([&] { files({}, "/none.toml"); }), "--config: "));
}

}  // namespace
}  // namespace fastvideo::host
