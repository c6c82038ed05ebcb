// The CUDA driver's C interface (CUDA Driver API reference, sections 6.2 to 6.5), opened at run time.
#include <dlfcn.h>

#include <array>

#include "host/hardware/hardware.hpp"

namespace fastvideo::host {
namespace {

// Of cuda.h: CUresult is an enum, CUdevice an int.
using CuResult = int;
using CuDevice = int;
constexpr CuResult kCudaSuccess = 0;
constexpr int kAttributeCapabilityMajor = 75;
constexpr int kAttributeCapabilityMinor = 76;

// A function of an open library. The pointer is left null where the library does not have it.
template <class Function>
bool find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

struct DriverQueries {
  CuResult (*init)(unsigned flags);
  CuResult (*driver_version)(int* version);
  CuResult (*device_count)(int* count);
  CuResult (*device_get)(CuDevice* device, int ordinal);
  CuResult (*device_name)(char* name, int length, CuDevice device);
  CuResult (*device_attribute)(int* value, int attribute, CuDevice device);
  CuResult (*device_memory)(size_t* bytes, CuDevice device);
  CuResult (*device_bus)(char* bus, int length, CuDevice device);
  CuResult (*error_name)(CuResult error, const char** name);

  bool open(void* library) {
    return find(library, "cuInit", init) && find(library, "cuDriverGetVersion", driver_version) &&
           find(library, "cuDeviceGetCount", device_count) && find(library, "cuDeviceGet", device_get) &&
           find(library, "cuDeviceGetName", device_name) && find(library, "cuDeviceGetAttribute", device_attribute) &&
           find(library, "cuDeviceTotalMem_v2", device_memory) && find(library, "cuDeviceGetPCIBusId", device_bus) &&
           find(library, "cuGetErrorName", error_name);
  }

  // "" for success, else "cuInit: CUDA_ERROR_NO_DEVICE (100)"
  std::string problem(const char* call, CuResult result) const {
    if (result == kCudaSuccess) return "";
    const char* name = nullptr;
    error_name(result, &name);
    return std::string(call) + ": " + (name == nullptr ? "unknown error" : name) + " (" + std::to_string(result) + ")";
  }

  std::string read(CudaDevice& out) const {
    CuDevice device = 0;
    std::array<char, 256> name{};
    std::array<char, 32> bus{};
    size_t bytes = 0;
    CuResult result = device_get(&device, out.index);
    if (result == kCudaSuccess) result = device_name(name.data(), static_cast<int>(name.size()) - 1, device);
    if (result == kCudaSuccess) result = device_attribute(&out.capability_major, kAttributeCapabilityMajor, device);
    if (result == kCudaSuccess) result = device_attribute(&out.capability_minor, kAttributeCapabilityMinor, device);
    if (result == kCudaSuccess) result = device_memory(&bytes, device);
    if (result == kCudaSuccess) result = device_bus(bus.data(), static_cast<int>(bus.size()) - 1, device);
    out.name = name.data();
    out.bus = bus.data();
    out.total_memory = bytes;
    return problem("cuDeviceGet", result);
  }
};

CudaDriver ask_driver() {
  CudaDriver out;
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    out.problem = "no CUDA driver (libcuda.so.1 is not there)";
    return out;
  }
  DriverQueries driver{};
  if (!driver.open(library)) {
    out.problem = "the CUDA driver is too old: it lacks functions that every driver for CUDA 11 and later has";
    return out;
  }
  out.problem = driver.problem("cuInit", driver.init(0));
  if (out.problem.empty()) out.problem = driver.problem("cuDriverGetVersion", driver.driver_version(&out.version));
  int count = 0;
  if (out.problem.empty()) out.problem = driver.problem("cuDeviceGetCount", driver.device_count(&count));
  for (int i = 0; i < count; ++i) {
    CudaDevice device;
    device.index = i;
    const std::string problem = driver.read(device);
    if (!problem.empty()) {
      out.problem = "device " + std::to_string(i) + ": " + problem;
      break;
    }
    out.devices.push_back(std::move(device));
  }
  if (out.devices.empty() && out.problem.empty()) out.problem = "the CUDA driver sees no device";
  return out;
}

}  // namespace

std::string CudaDriver::version_text() const {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

const CudaDriver& cuda_driver() {
  static const CudaDriver driver = ask_driver();
  return driver;
}

}  // namespace fastvideo::host
