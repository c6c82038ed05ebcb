#include "host/cli/own_installation.hpp"

#include <gtest/gtest.h>

namespace fastvideo::host {
namespace {

TEST(Installation, IsFoundFromTheProgram) {
  const Installation installation = own_installation();
  EXPECT_EQ(installation.prefix, std::filesystem::canonical(FASTVIDEO_BINARY_DIR));
  const Settings settings = resolve(Schema::host(), read_config_file(installation.config_file()), Unknown::refuse);
  EXPECT_EQ(settings.strings("libraries.path"), std::vector<std::string>{FASTVIDEO_LIBTORCH_LIB});
}

}  // namespace
}  // namespace fastvideo::host
