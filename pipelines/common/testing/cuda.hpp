// Whether tests can use a GPU.
#pragma once

namespace fastvideo::testing {

/// Opens libtorch_cuda.so, once, as the host does on a CUDA run, and says whether a CUDA device is there. Call it
/// before anything else asks LibTorch for CUDA: from then on its answer would stay no.
bool cuda_is_here();

}  // namespace fastvideo::testing
