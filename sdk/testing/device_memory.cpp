#include "sdk/testing/device_memory.hpp"

namespace fastvideo::testing {

std::unique_ptr<DeviceMemory> make_device_memory(fv_device device) {
  if (device.type == FV_DEVICE_CPU) return make_cpu_memory();
  if (device.type == FV_DEVICE_CUDA) return make_cuda_memory(device.index);
  return nullptr;
}

}  // namespace fastvideo::testing
