// Files from untrusted sources: faults of a link, and of the links on the way to it.
#include <gtest/gtest.h>

#include <fastvideo/input_file.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.hpp"

namespace fastvideo {
namespace {

namespace fs = std::filesystem;

std::string refusal_of(const fs::path& file) {
  try {
    const InputFile opened(file.string());
  } catch (const Refused& e) {
    return e.what();
  }
  return "";
}

TEST(BrokenLink, SaysWhichLinkLeadsNowhere) {
  const test::TemporaryFolder folder;
  const std::string root = folder.path().string();
  std::ofstream(root + "/file") << "x";
  fs::create_directory(root + "/real");
  fs::create_symlink("real", root + "/link");
  fs::create_symlink("loop", root + "/loop");
  fs::create_symlink("there", root + "/back");
  fs::create_symlink("back", root + "/there");
  fs::create_symlink("gone", root + "/away");
  fs::create_symlink("away", root + "/further");
  fs::create_symlink("/no/such/place", root + "/far");
  fs::create_symlink("file/x", root + "/through");
  for (const char* fine : {"", "/", "/file", "/real/", "/link", "/link/", "/link/none", "/none", "/none/x", "/file/x"})
    EXPECT_EQ(broken_link(root + fine), "") << fine;
  EXPECT_EQ(broken_link(""), "");
  EXPECT_EQ(broken_link(root + "/loop"), "is a link that leads back to itself");
  EXPECT_EQ(broken_link(root + "/loop/"), "is a link that leads back to itself");
  EXPECT_EQ(broken_link(root + "/back"), "is a link that leads back to itself");
  EXPECT_EQ(broken_link(root + "/loop/a/b"), "lies behind " + root + "/loop, a link that leads back to itself");
  EXPECT_EQ(broken_link(root + "/away"), "is a link to gone, that is " + root + "/gone, which is not there");
  EXPECT_EQ(broken_link(root + "/further"), "is a link to away, that is " + root + "/gone, which is not there");
  EXPECT_EQ(broken_link(root + "/far"), "is a link to /no/such/place, which is not there");
  EXPECT_EQ(broken_link(root + "/through"), "is a link to file/x, that is " + root + "/file/x, which is not there");
  EXPECT_EQ(broken_link(root + "/far/x"), "lies behind " + root + "/far, a link to /no/such/place, which is not there");
  EXPECT_EQ(broken_link(root + "/link/../loop"), "is a link that leads back to itself");
}

TEST(InputFile, NamesTheLinkAtFault) {
  const test::TemporaryFolder folder;
  const std::string root = folder.path().string();
  fs::create_symlink("loop", root + "/loop");
  EXPECT_EQ(refusal_of(root + "/loop"), root +
                                            "/loop: is a link that leads back to itself: put the file in its place, "
                                            "or make the link anew");
  EXPECT_EQ(refusal_of(root + "/loop/x").find(root + "/loop/x: lies behind " + root + "/loop, a link that"), 0U);
  EXPECT_EQ(refusal_of(root + "/none"), root + "/none: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace fastvideo
