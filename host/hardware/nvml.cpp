// Free memory of a CUDA device from NVML, which needs no context on the device (NVML API reference, device queries).
#include <dlfcn.h>

#include "host/hardware/hardware.hpp"

namespace fastvideo::host {
namespace {

struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct Nvml {
  int (*init)() = nullptr;
  int (*handle_by_bus)(const char* bus, void** device) = nullptr;
  int (*memory)(void* device, NvmlMemory* memory) = nullptr;

  Nvml() {
    void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    init = reinterpret_cast<int (*)()>(dlsym(library, "nvmlInit_v2"));
    handle_by_bus = reinterpret_cast<int (*)(const char*, void**)>(dlsym(library, "nvmlDeviceGetHandleByPciBusId_v2"));
    memory = reinterpret_cast<int (*)(void*, NvmlMemory*)>(dlsym(library, "nvmlDeviceGetMemoryInfo"));
    ready = init != nullptr && handle_by_bus != nullptr && memory != nullptr && init() == 0;
  }
  bool ready = false;
};

}  // namespace

std::optional<uint64_t> free_memory(const CudaDevice& device) {
  static const Nvml nvml;
  void* handle = nullptr;
  NvmlMemory memory{};
  if (!nvml.ready || nvml.handle_by_bus(device.bus.c_str(), &handle) != 0 || nvml.memory(handle, &memory) != 0)
    return std::nullopt;
  // A MIG slice has less memory than the whole device that NVML describes.
  return memory.free < device.total_memory ? memory.free : device.total_memory;
}

}  // namespace fastvideo::host
