// The most memory that a stretch of a program took.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "host/model/device.hpp"

namespace fastvideo::host {

/// Watches memory from its construction on. On the CPU: the highest resident size of the process, whose mark is set
/// back first (/proc/self/clear_refs); what was resident before counts too. On CUDA: the highest number of bytes in use
/// on the device, by all processes, read from NVML every 20 ms; memory that LibTorch keeps for later runs counts.
class PeakMemory {
 public:
  explicit PeakMemory(const RunDevice& device);
  ~PeakMemory();
  PeakMemory(const PeakMemory&) = delete;
  PeakMemory& operator=(const PeakMemory&) = delete;

  /// Bytes so far; nothing if the system does not say.
  std::optional<std::uint64_t> bytes() const;
  /// Bytes that were in use on the device when the watch began, by all processes; 0 on the CPU.
  std::uint64_t before() const;

 private:
  struct DeviceWatch;
  std::unique_ptr<DeviceWatch> watch_;  // of CUDA; null on the CPU
  bool is_own_mark_ = false;
};

/// Bytes of the process at its peak, in main memory; 0 if the system does not say. (VmHWM: getrusage also counts the
/// process that started this one, until it became this program.)
std::uint64_t peak_host_memory();

}  // namespace fastvideo::host
