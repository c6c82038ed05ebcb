// The most memory that a run took.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>

#include "host/hardware/hardware.hpp"
#include "host/model/device.hpp"

namespace fastvideo::host {

/// Watches a CUDA device from its construction on: the highest number of bytes in use on it, by all processes, read
/// from NVML every 20 ms; memory that LibTorch keeps for later runs counts.
class PeakMemory {
 public:
  explicit PeakMemory(const RunDevice& device);
  ~PeakMemory();
  PeakMemory(const PeakMemory&) = delete;
  PeakMemory& operator=(const PeakMemory&) = delete;

  /// Bytes so far; nothing if NVML does not say.
  std::optional<uint64_t> bytes() const;
  /// Bytes that were in use when the watch began.
  uint64_t before() const { return before_; }

 private:
  void look();

  const CudaDevice& device_;
  std::atomic<uint64_t> most_{0};
  uint64_t before_ = 0;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

/// Bytes of the process at its peak, in main memory; 0 if the system does not say. (VmHWM: getrusage also counts the
/// process that started this one, until it became this program.)
uint64_t peak_host_memory();

}  // namespace fastvideo::host
