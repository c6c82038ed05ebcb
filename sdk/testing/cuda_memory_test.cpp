// Memory and time of a GPU. Skipped where there is none.
#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "sdk/testing/device_memory.hpp"

namespace fastvideo::testing {
namespace {

class CudaMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      memory_ = make_device_memory({FV_DEVICE_CUDA, 0});
    } catch (const std::runtime_error& e) {
      if (!std::string_view(e.what()).starts_with("no device")) throw;
      GTEST_SKIP() << e.what();
    }
  }
  std::unique_ptr<DeviceMemory> memory_;
};

TEST_F(CudaMemory, HoldsWhatIsPutThere) {
  std::vector<uint8_t> in(3000), out(3000);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 7);
  void* block = memory_->allocate(in.size());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 256, 0U);
  EXPECT_NE(memory_->allocate(0), nullptr);
  EXPECT_NE(memory_->stream(), nullptr);
  memory_->upload(block, in);
  memory_->poison(static_cast<char*>(block) + 10, 5);
  memory_->download(out, block);
  for (size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], i >= 10 && i < 15 ? 0xFF : in[i]);
}

// The device's own time: a gigabyte is written no faster than any memory of today does (10 TB/s) and no slower than the
// slowest card with tensor cores (200 GB/s). Work before a piece is not counted in its time.
TEST_F(CudaMemory, TimesTheDevice) {
  constexpr size_t bytes = size_t{1} << 30;
  void* block = memory_->allocate(bytes);
  const auto write = [&](size_t) { memory_->poison(block, bytes); };
  const auto nothing = [](size_t) {};
  for (const double seconds : memory_->time(5, nothing, write)) {
    EXPECT_GT(seconds, 1e-4);
    EXPECT_LT(seconds, 6e-3);
  }
  for (const double seconds : memory_->time(5, write, nothing)) EXPECT_LT(seconds, 1e-4);
}

TEST_F(CudaMemory, SaysWhenMemoryIsOut) {
  EXPECT_THROW(memory_->allocate(size_t{1} << 50), std::bad_alloc);
  EXPECT_NE(memory_->allocate(1000), nullptr) << "and goes on";
}

TEST_F(CudaMemory, PassesOnWhatAPieceThrows) {
  EXPECT_THROW(memory_->time(
                   1, [](size_t) {}, [](size_t) { throw std::logic_error("broke"); }),
               std::logic_error);
  EXPECT_EQ(memory_
                ->time(
                    1, [](size_t) {}, [](size_t) {})
                .size(),
            1U);
}

}  // namespace
}  // namespace fastvideo::testing
