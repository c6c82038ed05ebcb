#include "host/plugins/library_file.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

TEST(MissingLibraries, WhatTheSystemHasIsNotMissing) {
  // A test plugin needs libstdc++, libm, libgcc_s and libc.
  EXPECT_TRUE(missing_libraries("throws.so", {FAKE_PLUGINS}).empty());
}

TEST(MissingLibraries, NamesWhatIsNotThere) {
  const test::TemporaryFolder folder;
  using List = std::vector<std::string>;
  EXPECT_EQ(missing_libraries("libnothing.so", {folder.path()}), List{"libnothing.so"});
  folder.write("libtext.so", "no library");
  EXPECT_EQ(missing_libraries("libtext.so", {folder.path()}), List{"libtext.so"});
  // A copy that needs another name: the string in its dynamic section is overwritten in place.
  fs::copy_file(fs::path(FAKE_PLUGINS) / "throws.so", folder.path() / "lib.so");
  std::fstream file(folder.path() / "lib.so", std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const size_t at = bytes.find("libstdc++.so.6");
  ASSERT_NE(at, std::string::npos);
  file.seekp(static_cast<std::streamoff>(at));
  file << "libabsent.so.9";
  file.close();
  EXPECT_EQ(missing_libraries("lib.so", {folder.path()}), List{"libabsent.so.9"});
  folder.write("libabsent.so.9", "");
  EXPECT_TRUE(missing_libraries("lib.so", {folder.path()}).empty());
}

}  // namespace
}  // namespace fastvideo::host
