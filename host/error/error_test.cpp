#include "host/error/error.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace fastvideo::host {
namespace {

TEST(ReadableBytes, HaveThreeDigits) {
  EXPECT_EQ(readable_bytes(0), "0 bytes");
  EXPECT_EQ(readable_bytes(1023), "1023 bytes");
  EXPECT_EQ(readable_bytes(1024), "1.00 KiB");
  EXPECT_EQ(readable_bytes(24 << 20), "24.0 MiB");
  EXPECT_EQ(readable_bytes(uint64_t{1023} << 20), "1.00 GiB");
  EXPECT_EQ(readable_bytes(uint64_t{139} << 30), "139 GiB");
}

TEST(EditDistance, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("bakend", "backend"), 1u);
  EXPECT_EQ(edit_distance("bcakend", "backend"), 1u) << "an exchange of neighbours is one edit";
  EXPECT_EQ(edit_distance("ca", "abc"), 3u) << "restricted: what was exchanged is not edited again";
  EXPECT_EQ(edit_distance("TORCH_sdpa", "torch_SDPA"), 0u) << "letter case does not count";
}

TEST(EditDistance, IsSymmetric) {
  const std::vector<std::string> words = {"", "a", "attention", "cache", "attenuation", "heights", "height", "thgieh"};
  for (const std::string& a : words)
    for (const std::string& b : words) EXPECT_EQ(edit_distance(a, b), edit_distance(b, a)) << a << ' ' << b;
}

TEST(NearestName, NamesWhatWasMeant) {
  const std::vector<std::string> known = {"attention.backend", "attention.default", "cache.strategy"};
  EXPECT_EQ(nearest_name("attention.bakend", known), "attention.backend");
  EXPECT_EQ(nearest_name("cahce.strategy", known), "cache.strategy");
  EXPECT_EQ(nearest_name("quux", known), "");
  EXPECT_EQ(nearest_name("quux", {}), "");
  EXPECT_EQ(did_you_mean("attention.bakend", known), "; did you mean 'attention.backend'?");
  EXPECT_EQ(did_you_mean("quux", known), "");
}

TEST(NearestName, TakesTheFirstOfEquals) {
  const std::vector<std::string> known = {"flag_b", "flag_a"};
  EXPECT_EQ(nearest_name("flag_c", known), "flag_b");
}

}  // namespace
}  // namespace fastvideo::host
