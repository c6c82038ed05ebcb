#include "host/plugins/preflight.hpp"

#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>

#include "host/config/toml.hpp"
#include "host/plugins/testing/plugin_folder.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

class Preflight : public ::testing::Test {
 protected:
  std::string refused(const std::string& bytes) {
    return refusal([&] { read_shared_object(files_.write("x.so", bytes)); });
  }
  const std::string sound_ = read_text_file(FAKE_PLUGINS "/none.so");
  test::TemporaryFolder files_;
};

// Where the last mapped byte of an ELF file lies.
size_t end_of_segments(const std::string& bytes) {
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  size_t end = 0;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type == PT_LOAD) end = std::max<size_t>(end, segment.p_offset + segment.p_filesz);
  }
  return end;
}

TEST_F(Preflight, ReadsExportsAndNeeds) {
  const SharedObject plugin = read_shared_object(FAKE_PLUGINS "/uses_fake_dependency.so");
  EXPECT_EQ(plugin.exports, std::vector<std::string>{"fastvideo_plugin"});
  EXPECT_NE(std::find(plugin.needed.begin(), plugin.needed.end(), "libfake_dependency.so"), plugin.needed.end());
  SharedObject other = read_shared_object(FAKE_PLUGINS "/extra_export.so");
  std::sort(other.exports.begin(), other.exports.end());
  EXPECT_EQ(other.exports, (std::vector<std::string>{"fastvideo_plugin", "helper_that_clashes"}));
}

TEST_F(Preflight, RefusesWhatTheLoaderWouldMisunderstand) {
  EXPECT_TRUE(contains(refusal([] { read_shared_object("/none.so"); }), "/none.so: No such file"));
  EXPECT_TRUE(contains(refusal([&] { read_shared_object(files_.path()); }), "is a folder; a file is needed here"));
  EXPECT_TRUE(contains(refused("short"), "is no shared library (5 bytes)"));
  EXPECT_TRUE(contains(refused(std::string(5000, 'x')), "not an ELF file"));
  std::string bytes = sound_;
  bytes[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_AARCH64);
  EXPECT_TRUE(contains(refused(bytes), "is built for another machine (ELF machine 183), this host is x86-64"));
  bytes = sound_;
  bytes[offsetof(Elf64_Ehdr, e_type)] = ET_EXEC;
  EXPECT_TRUE(contains(refused(bytes), "is no shared library (ELF type 2)"));
}

TEST_F(Preflight, RefusesTruncatedFilesBeforeTheyKill) {
  // dlopen of such a file maps pages behind its end and dies of SIGBUS.
  const size_t end = end_of_segments(sound_);
  const std::string cut = refused(sound_.substr(0, end - 1));
  EXPECT_TRUE(contains(
      cut, "is truncated: has " + std::to_string(end - 1) + " bytes, a segment ends at " + std::to_string(end)));
  for (size_t length = 0; length < end; length += 397)
    EXPECT_NE(refused(sound_.substr(0, length)), "(accepted)") << length;
  EXPECT_EQ(refused(sound_.substr(0, end)), "(accepted)") << "section headers and debug information are not mapped";
}

TEST_F(Preflight, SurvivesDamage) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string bytes = sound_;
    for (int i = 0; i < 8; ++i) bytes[random() % std::min<size_t>(bytes.size(), 4096)] = static_cast<char>(random());
    refused(bytes);  // read or refused; sanitizer builds see what else would happen
  }
}

}  // namespace
}  // namespace fastvideo::host
