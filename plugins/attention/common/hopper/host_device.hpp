// Functions that both the kernel and a test on the host call.
#pragma once

#ifdef __CUDACC__
#define FV_HOST_DEVICE __host__ __device__
#else
#define FV_HOST_DEVICE
#endif

namespace fastvideo::hopper {

FV_HOST_DEVICE constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

}  // namespace fastvideo::hopper
