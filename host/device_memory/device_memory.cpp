#include "host/device_memory/device_memory.hpp"

namespace fastvideo::host {

std::unique_ptr<DeviceMemory> make_device_memory(fv_device device) {
  if (device.type == FV_DEVICE_CPU) return make_cpu_memory();
  if (device.type == FV_DEVICE_CUDA) return make_cuda_memory(device.index);
  return nullptr;
}

}  // namespace fastvideo::host
