// Memory of the CPU, and the error where there is no GPU.
#include "sdk/testing/device_memory.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

namespace fastvideo::testing {
namespace {

TEST(CpuMemory, HoldsWhatIsPutThere) {
  const auto memory = make_device_memory({FV_DEVICE_CPU, 0});
  std::array<uint8_t, 300> in{}, out{};
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 7);
  void* block = memory->allocate(in.size());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 256, 0U);
  memory->upload(block, in);
  memory->poison(static_cast<char*>(block) + 10, 5);
  memory->download(out, block);
  for (size_t i = 0; i < in.size(); ++i) EXPECT_EQ(out[i], i >= 10 && i < 15 ? 0xFF : in[i]);
}

TEST(CpuMemory, TimesEachPieceWithoutItsPreparation) {
  const auto memory = make_cpu_memory();
  std::string order;
  const std::vector<double> seconds = memory->time(
      2, [&](size_t i) { order += "p" + std::to_string(i); }, [&](size_t i) { order += "w" + std::to_string(i); });
  EXPECT_EQ(order, "p0w0p1w1");
  ASSERT_EQ(seconds.size(), 2U);
  EXPECT_GE(seconds[0], 0);
}

TEST(DeviceMemory, WhatIsNotThereIsRefusedWithTheReason) {
  EXPECT_EQ(make_device_memory({99, 0}), nullptr);
  try {
    (void)make_cuda_memory(999);
    FAIL() << "there is no such device";
  } catch (const std::runtime_error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("no device cuda:999: "), std::string::npos) << text;
    if (dlopen("libcuda.so.1", RTLD_LAZY) == nullptr) {
      EXPECT_NE(text.find("libcuda.so.1 is not there"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace fastvideo::testing
