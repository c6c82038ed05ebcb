// Memory and time of the device that a bench of attention runs on, apart from what is timed there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace fastvideo {

/// One device. What it allocates lives as long as it. Members throw std::runtime_error with the reason. One
/// thread.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Aligned to 256 bytes at least.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void upload(void* to, std::span<const std::uint8_t> from) = 0;
  virtual void download(std::span<std::uint8_t> to, const void* from) = 0;
  /// Sets every byte to 0xFF, which is NaN in every floating-point type.
  virtual void poison(void* first, std::size_t bytes) = 0;
  /// The stream that work is given to; nullptr on the CPU.
  virtual void* stream() = 0;
  /// Seconds of what `work` does or enqueues on the stream.
  virtual double time(const std::function<void()>& work) = 0;

 protected:
  DeviceMemory() = default;
};

std::unique_ptr<DeviceMemory> make_cpu_memory();

}  // namespace fastvideo
