#include "host/request/memory_ledger.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace fastvideo::host {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;
constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

TEST(MemoryLedger, WhatCudaTakesIsBesideTheHighestPeak) {
  const MemoryLedger ledger{{{"denoise", 320 * kMebibyte}, {"decode", 160 * kMebibyte}}};
  EXPECT_EQ(ledger.peak()->name, "denoise");
  EXPECT_EQ(ledger.beside_on_cuda(), (704 + 20) * kMebibyte);
  EXPECT_EQ(ledger.needed(/*is_on_cuda=*/true), (320 + 704 + 20) * kMebibyte);
  EXPECT_EQ(ledger.needed(/*is_on_cuda=*/false), 320 * kMebibyte);
}

TEST(MemoryLedger, WithoutStagesNothingIsKnown) {
  const MemoryLedger ledger;
  EXPECT_EQ(ledger.needed(true), std::nullopt);
  EXPECT_EQ(ledger.beside_on_cuda(), 0U);
}

TEST(MemoryLedger, NumbersThatCannotBeDoNotWrapAround) {
  EXPECT_EQ((MemoryLedger{{{"denoise", kMost - 5}}}.needed(true)), kMost);
}

}  // namespace
}  // namespace fastvideo::host
