// Memory, stream and clock of a device on which attention is checked and timed; no kernels.
#pragma once

#include <fastvideo/tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace fastvideo::testing {

/// One device. Its allocations live as long as the object. Members throw std::runtime_error with the reason,
/// std::bad_alloc where memory is out. One thread.
class DeviceMemory {
 public:
  using Numbered = std::function<void(size_t)>;

  virtual ~DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Aligned to 256 bytes at least.
  virtual void* allocate(size_t bytes) = 0;
  /// Both copies wait for earlier work of the stream and return when they are complete.
  virtual void upload(void* to, std::span<const uint8_t> from) = 0;
  virtual void download(std::span<uint8_t> to, const void* from) = 0;
  /// Sets every byte to 0xFF, which is NaN in every floating-point type, in the order of the stream.
  virtual void poison(void* first, size_t bytes) = 0;
  /// The stream on which work is enqueued; nullptr on the CPU.
  virtual void* stream() = 0;
  /// Calls work with the device as the thread's current one, as pipelines call plugins.
  virtual void on_device(const std::function<void()>& work) = 0;
  /// Seconds that each of `count` pieces of work takes: prepare(i), which is not timed, then work(i), in the order of
  /// their numbers. On a GPU both functions only enqueue, all pieces follow each other without a pause, and the
  /// device's time is measured. An exception of either function ends the measurement and is passed on.
  virtual std::vector<double> time(size_t count, const Numbered& prepare, const Numbered& work) = 0;

 protected:
  DeviceMemory() = default;
};

std::unique_ptr<DeviceMemory> make_cpu_memory();

/// With a stream of its own, in the device's primary context, which CUDA's runtime and LibTorch use too. Throws
/// std::runtime_error where there is no such device.
std::unique_ptr<DeviceMemory> make_cuda_memory(int index);

/// Memory of a device, CPU or CUDA; nullptr for other types of device.
std::unique_ptr<DeviceMemory> make_device_memory(fv_device device);

}  // namespace fastvideo::testing
