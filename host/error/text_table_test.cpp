#include "host/error/text_table.hpp"

#include <gtest/gtest.h>

namespace fastvideo::host {
namespace {

TEST(TextTable, AlignsColumns) {
  EXPECT_EQ(text_table({{"a", "1"}, {"long", "22", "x"}, {"b"}}),
            "  a     1\n"
            "  long  22  x\n"
            "  b\n");
  EXPECT_EQ(text_table({}), "");
}

TEST(TextTable, Bytes) {
  EXPECT_EQ(readable_bytes(0), "0 bytes");
  EXPECT_EQ(readable_bytes(1023), "1023 bytes");
  EXPECT_EQ(readable_bytes(1024), "1.00 KiB");
  EXPECT_EQ(readable_bytes(24 << 20), "24.0 MiB");
  EXPECT_EQ(readable_bytes(uint64_t{1023} << 20), "1.00 GiB");
  EXPECT_EQ(readable_bytes(uint64_t{139} << 30), "139 GiB");
}

TEST(TextTable, Seconds) {
  EXPECT_EQ(readable_seconds(0.00123), "1.23 ms");
  EXPECT_EQ(readable_seconds(6.126), "6.13 s");
  EXPECT_EQ(readable_seconds(125), "2 min 05 s");
}

}  // namespace
}  // namespace fastvideo::host
