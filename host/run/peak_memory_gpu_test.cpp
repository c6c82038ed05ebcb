// The peak on a CUDA device is seen by NVML.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "host/hardware/hardware.hpp"
#include "host/run/peak_memory.hpp"
#include "sdk/testing/device_memory.hpp"

namespace fastvideo::host {
namespace {

TEST(PeakMemory, SeesWhatIsAllocatedOnTheDevice) {
  if (cuda_driver().devices.empty()) GTEST_SKIP() << cuda_driver().problem;
  const CudaDevice& device = cuda_driver().devices.front();
  if (!free_memory(device)) GTEST_SKIP() << "no NVML";
  RunDevice run;
  run.facts.device = {FV_DEVICE_CUDA, device.index};
  const auto context = testing::make_cuda_memory(device.index);  // which takes memory itself
  const PeakMemory peak(run);
  constexpr uint64_t kBytes = uint64_t{1} << 30;
  {
    const auto memory = testing::make_cuda_memory(device.index);
    memory->poison(memory->allocate(kBytes), kBytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // ten looks
  }
  ASSERT_TRUE(peak.bytes().has_value());
  EXPECT_GE(*peak.bytes(), peak.before() + kBytes);  // others on the device can only add to it
}

}  // namespace
}  // namespace fastvideo::host
