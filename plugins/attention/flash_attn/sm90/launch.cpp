#include "plugins/attention/flash_attn/sm90/launch.hpp"

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

namespace fastvideo::sm90 {

void check_cuda(int status, const char* operation) {
  const auto error = static_cast<cudaError_t>(status);
  if (error == cudaSuccess) return;
  cudaGetLastError();  // so that the next call does not report this one again
  throw std::runtime_error(std::string(operation) + ": " + cudaGetErrorString(error) + " (CUDA error " +
                           std::to_string(status) + ")");
}

}  // namespace fastvideo::sm90
