// A maximum that keeps NaN.
#pragma once

namespace fastvideo::hopper {

/// The larger of two numbers, NaN if either is; fmaxf would return the other number.
__device__ inline float larger(float a, float b) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}

}  // namespace fastvideo::hopper
