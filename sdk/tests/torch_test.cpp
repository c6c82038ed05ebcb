// Our tensor is DLPack's by layout and value, and LibTorch's tensors cross and come back as the same memory.
#include <ATen/dlpack.h>
#include <gtest/gtest.h>

#include <fastvideo/torch.hpp>
#include <fastvideo/torch_errors.hpp>
#include <functional>

namespace {

// Oracle: the DLPack header that LibTorch ships.
static_assert(sizeof(fv_tensor) == sizeof(DLTensor) && alignof(fv_tensor) == alignof(DLTensor));
static_assert(offsetof(fv_tensor, data) == offsetof(DLTensor, data));
static_assert(offsetof(fv_tensor, device) == offsetof(DLTensor, device));
static_assert(offsetof(fv_tensor, ndim) == offsetof(DLTensor, ndim));
static_assert(offsetof(fv_tensor, dtype) == offsetof(DLTensor, dtype));
static_assert(offsetof(fv_tensor, shape) == offsetof(DLTensor, shape));
static_assert(offsetof(fv_tensor, strides) == offsetof(DLTensor, strides));
static_assert(offsetof(fv_tensor, byte_offset) == offsetof(DLTensor, byte_offset));
static_assert(sizeof(fv_dtype) == sizeof(DLDataType) && sizeof(fv_device) == sizeof(DLDevice));
static_assert(int{FV_DEVICE_CPU} == int{kDLCPU} && int{FV_DEVICE_CUDA} == int{kDLCUDA});
static_assert(int{FV_INT} == int{kDLInt} && int{FV_UINT} == int{kDLUInt} && int{FV_FLOAT} == int{kDLFloat});
static_assert(int{FV_BFLOAT} == int{kDLBfloat} && int{FV_BOOL} == int{kDLBool});

class EveryType : public testing::TestWithParam<at::ScalarType> {};

TEST_P(EveryType, CrossesAndComesBackAsTheSameMemory) {
  const at::Tensor whole = at::ones({3, 4, 8}, at::TensorOptions().dtype(GetParam()));
  const at::Tensor part = whole.narrow(1, 1, 2);  // strided, with an offset
  const fastvideo::LentTensor lent(part);
  const at::Tensor back = fastvideo::borrow(*lent.get());
  EXPECT_EQ(back.data_ptr(), part.data_ptr());
  EXPECT_EQ(back.sizes(), part.sizes());
  EXPECT_EQ(back.strides(), part.strides());
  EXPECT_EQ(back.scalar_type(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Types, EveryType,
                         testing::Values(at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                                         at::kShort, at::kChar, at::kByte, at::kBool));

TEST(Torch, ByteOffsetIsAdded) {
  float data[4] = {0, 1, 2, 3};
  int64_t shape[1] = {2}, strides[1] = {1};
  const fv_tensor t{data, {FV_DEVICE_CPU, 0}, 1, fastvideo::kFloat32, shape, strides, 8};
  EXPECT_EQ(fastvideo::borrow(t)[0].item<float>(), 2);
}

TEST(Torch, WhatDoesNotCrossIsRefused) {
  EXPECT_THROW(fastvideo::to_dtype(at::kComplexFloat), std::invalid_argument);
  EXPECT_THROW(fastvideo::to_scalar_type({FV_FLOAT, 32, 4}), std::invalid_argument);
  EXPECT_THROW(fastvideo::to_device({10, 0}), std::invalid_argument);
}

std::string said_of(const std::function<void()>& body, fv_status expected) {
  fastvideo::TextBuffer text;
  EXPECT_EQ(fastvideo::guard(text.get(), [&] { fastvideo::with_short_torch_errors(body); }), expected);
  return text.str();
}

TEST(Torch, ErrorsAreOneLineEach) {
  EXPECT_EQ(fastvideo::with_short_torch_errors([] { return 3; }), 3);
  const std::string memory = said_of([] { at::empty({int64_t{1} << 45}, at::kFloat); }, FV_OUT_OF_MEMORY);
  EXPECT_EQ(memory, "out of memory: 134217728.0 MiB were asked for at once on the CPU");
  const std::string shapes = said_of([] { at::mm(at::ones({2, 3}), at::ones({5, 7})); }, FV_FAILED);
  EXPECT_NE(shapes.find("2x3 and 5x7"), std::string::npos) << shapes;
  EXPECT_EQ(shapes.find("frame #"), std::string::npos) << shapes;
  EXPECT_EQ(shapes.find("Exception raised"), std::string::npos) << shapes;
}

TEST(Torch, OfMemoryOfAGpuStaysWhatThereIs) {
  // The message of LibTorch 2.11.
  const std::string said = said_of(
      [] {
        throw c10::OutOfMemoryError({"malloc", "CUDACachingAllocator.cpp", 1},
                                    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of "
                                    "139.80 GiB of which 3.00 MiB "
                                    "is free. Including non-PyTorch memory, this process has 1.00 GiB memory in use. "
                                    "Of the allocated memory...");
      },
      FV_OUT_OF_MEMORY);
  EXPECT_EQ(said,
            "out of memory: Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 139.80 GiB of which 3.00 MiB "
            "is free");
}

TEST(Torch, TheCpuHasNoStream) {
  EXPECT_EQ(fastvideo::current_stream(at::kCPU), nullptr);
  const fastvideo::StreamScope scope(at::kCPU, nullptr);
}

}  // namespace
