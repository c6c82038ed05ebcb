// The larger of two numbers that lets nothing be lost which is none.
#pragma once

namespace fastvideo::hopper {

/// The larger of two, NaN if one is; fmaxf takes the other one then.
__device__ inline float larger(float a, float b) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}

}  // namespace fastvideo::hopper
