// Whether tests can use a GPU.
#pragma once

namespace fastvideo::testing {

/// Opens libtorch_cuda.so, once, as the host does for a CUDA run, and returns whether there is a CUDA device. Call this
/// before anything else asks LibTorch for CUDA: LibTorch's answer would stay no from then on.
bool cuda_is_here();

}  // namespace fastvideo::testing
