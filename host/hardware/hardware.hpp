// What the machine has. CUDA devices are read from the driver, opened at run time; without one this is a CPU machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fastvideo::host {

/// The processor and its memory.
struct CpuInfo {
  std::string model;              ///< "AMD EPYC 9B14"; empty if the system does not say
  int threads = 1;                ///< that this process may use: its CPU set and its container's quota
  uint64_t total_memory = 0;      ///< bytes; of the container, where it limits the process
  uint64_t available_memory = 0;  ///< bytes that can be had without swapping, at the time of the call
};

/// Reads /proc and the limits of the control groups, under `root` (tests have one of their own).
/// Cheap (a few files); any thread.
CpuInfo cpu_info(const std::filesystem::path& root = "/");

/// One CUDA device, numbered as CUDA_VISIBLE_DEVICES leaves them.
struct CudaDevice {
  int index = 0;
  std::string name;          ///< "NVIDIA H200"
  int capability_major = 0;  ///< compute capability
  int capability_minor = 0;
  uint64_t total_memory = 0;  ///< bytes
  std::string bus;            ///< "0000:3b:00.0", PCI

  /// 90 for compute capability 9.0, as in sm90
  int architecture() const { return capability_major * 10 + capability_minor; }
};

/// What the CUDA driver says.
struct CudaDriver {
  int version = 0;                  ///< 13000 for CUDA 13.0: the newest CUDA that the driver serves; 0 without driver
  std::vector<CudaDevice> devices;  ///< empty if there is none
  std::string problem;              ///< why there is no device: no driver, or what the driver answered; else empty

  /// "13.0"
  std::string version_text() const;
};

/// Opens libcuda.so.1 and asks it (cuInit, tens of milliseconds) at the first call, remembers the answer afterwards.
/// Creates no context. Never throws for want of a driver. Any thread.
const CudaDriver& cuda_driver();

/// Bytes free on a device, from NVML; nothing if NVML is not there or does not know the device.
std::optional<uint64_t> free_memory(const CudaDevice& device);

}  // namespace fastvideo::host
