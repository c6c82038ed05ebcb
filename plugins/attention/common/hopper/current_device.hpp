// CUDA's errors as exceptions, and the current device for as long as an object lives.
#pragma once

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

namespace fastvideo::hopper {

/// Throws std::runtime_error with the operation and CUDA's message, unless there is no error.
inline void check_cuda(cudaError_t error, const char* operation) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // so that the next call does not report this one again
  throw std::runtime_error(std::string(operation) + ": " + cudaGetErrorString(error) + " (CUDA error " +
                           std::to_string(static_cast<int>(error)) + ")");
}

/// Makes a device current and restores the previous device at the end. Throws std::runtime_error.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device) {
    check_cuda(cudaGetDevice(&before_), "asking for the current device");
    if (device != before_) check_cuda(cudaSetDevice(device), "choosing a device");
  }
  ~CurrentDevice() { cudaSetDevice(before_); }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int before_ = 0;
};

}  // namespace fastvideo::hopper
