// Memory and time of a device on which attention is checked and timed, apart from what runs there.
#pragma once

#include <fastvideo/tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace fastvideo::testing {

/// One device. What it allocates lives as long as it. Members throw std::runtime_error with the reason, std::bad_alloc
/// where memory is out. One thread.
class DeviceMemory {
 public:
  using Numbered = std::function<void(std::size_t)>;

  virtual ~DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Aligned to 256 bytes at least.
  virtual void* allocate(std::size_t bytes) = 0;
  /// Both wait until the stream has done what it was given before, and they themselves are done.
  virtual void upload(void* to, std::span<const std::uint8_t> from) = 0;
  virtual void download(std::span<std::uint8_t> to, const void* from) = 0;
  /// Sets every byte to 0xFF, which is NaN in every floating-point type, in the order of the stream.
  virtual void poison(void* first, std::size_t bytes) = 0;
  /// The stream that work is given to; nullptr on the CPU.
  virtual void* stream() = 0;
  /// Calls work with the device as the thread's current one, as pipelines call plugins.
  virtual void on_device(const std::function<void()>& work) = 0;
  /// Seconds that each of `count` pieces of work takes: prepare(i), which is not timed, then work(i), in the order of
  /// their numbers. On a GPU both only enqueue, all pieces follow each other without a pause, and what is measured is
  /// the device's time. An exception of either ends the measurement and is passed on.
  virtual std::vector<double> time(std::size_t count, const Numbered& prepare, const Numbered& work) = 0;

 protected:
  DeviceMemory() = default;
};

std::unique_ptr<DeviceMemory> make_cpu_memory();

/// With a stream of its own, in the device's primary context, which CUDA's runtime and LibTorch use too. Throws
/// std::runtime_error where there is no such device.
std::unique_ptr<DeviceMemory> make_cuda_memory(int index);

/// Memory of a device: one of the two above; nullptr where the kit knows no way to it.
std::unique_ptr<DeviceMemory> make_device_memory(fv_device device);

}  // namespace fastvideo::testing
