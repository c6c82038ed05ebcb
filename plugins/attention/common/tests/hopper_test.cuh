// Shared code of the tests of the Hopper kernel's parts: a fixture that skips without a Hopper GPU, device memory, and,
// from the PTX ISA, the places of an operand in shared memory and of a sum in registers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/dense/dense.cuh"
#include "plugins/attention/common/hopper/quantised_products.cuh"
#include "plugins/attention/common/hopper/quantised_softmax.cuh"
#include "plugins/attention/common/tests/device.hpp"

namespace fastvideo::hopper {

template <class S>
class HopperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_hopper()) GTEST_SKIP() << "no GPU of compute capability 9.0";
  }
};

/// Shapes that the plugins launch: of FLASH_ATTN and SLIDING_TILE_ATTN, and of SAGE_ATTN; each type, head size, width
/// and number of consumers is among them, not each of their combinations, which the compiler would feel.
using DenseShapes = ::testing::Types<dense::Shape<__nv_bfloat16, 128, 176, 2>, dense::Shape<__half, 128, 128, 2>,
                                     dense::Shape<__half, 64, 128, 3>>;
template <class Element, class Scores, class Values, int kSize, int kConsumers, bool kAhead>
using QuantisedShape = Shape<Element, Scores, Values, kSize, 128, kConsumers, QuantisedSoftmax<kAhead>>;
using QuantisedShapes = ::testing::Types<QuantisedShape<__nv_bfloat16, Int8Scores, E4M3Values, 128, 2, true>,
                                         QuantisedShape<__half, Int8Scores, E4M3Values, 64, 3, false>,
                                         QuantisedShape<__half, Int8Scores, HalfValues<__half>, 128, 2, true>,
                                         QuantisedShape<__nv_bfloat16, BiasedInt8Scores, E4M3Values, 128, 2, true>,
                                         QuantisedShape<__half, BiasedInt8Scores, E4M3Values, 64, 2, true>>;

/// Memory of the device, at first full of 0xFF: NaN as a float of any size.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    check_cuda(cudaMalloc(&data_, count * sizeof(T)), "allocating");
    check_cuda(cudaMemset(data_, 0xFF, count * sizeof(T)), "poisoning");
  }
  explicit DeviceArray(const std::vector<T>& from) : DeviceArray(from.size()) {
    check_cuda(cudaMemcpy(data_, from.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), "uploading");
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  T* get() const { return static_cast<T*>(data_); }
  std::vector<T> download() const {
    std::vector<T> into(count_);
    check_cuda(cudaMemcpy(into.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost), "downloading");
    return into;
  }

 private:
  size_t count_;
  void* data_ = nullptr;
};

/// Runs a kernel to its end.
template <class... P>
void run_kernel(void (*kernel)(P...), int blocks, int threads, size_t shared_bytes,
                std::type_identity_t<P>... arguments) {
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
             "setting the shared memory");
  kernel<<<blocks, threads, shared_bytes>>>(arguments...);
  check_cuda(cudaGetLastError(), "launching");
  check_cuda(cudaDeviceSynchronize(), "running");
}

/// The place of a byte of a row in an operand of `rows` rows: panels of up to 128 bytes side by side, in which chunks
/// of 16 change places with the row (PTX ISA 9.0, section 5.5.7).
inline size_t place(int rows, int row_bytes, int row, int byte) {
  const int panel_bytes = row_bytes < 128 ? row_bytes : 128, within = byte % panel_bytes;
  const int phase = panel_bytes == 128 ? row % 8 : row / 2 % 4;
  return static_cast<size_t>(byte / panel_bytes * rows + row) * panel_bytes + (within / 16 ^ phase) * 16 + within % 16;
}

/// Row and column of a thread's register of a sum (PTX ISA 9.0, section 9.7.15.5.1).
__host__ __device__ inline int row_of(int thread, int i) { return thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8; }
__host__ __device__ inline int column_of(int thread, int i) { return i / 4 * 8 + thread % 4 * 2 + i % 2; }

}  // namespace fastvideo::hopper
