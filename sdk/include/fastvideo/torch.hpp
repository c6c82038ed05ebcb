// fastvideo/torch.hpp - for plugins that use LibTorch: borrowed tensors as at::Tensor and back, streams, devices.
//
// Header-only; needs ATen's headers and links torch_cpu and c10 alone. Streams are reached through c10's virtual guard,
// so nothing here names libtorch_cuda.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <stdexcept>
#include <string>

#include "fastvideo/tensor_view.hpp"

namespace fastvideo {

/// DLPack's element type for LibTorch's. Throws std::invalid_argument for types that DLPack has no name for.
inline fv_dtype to_dtype(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return kFloat64;
    case at::kFloat:
      return kFloat32;
    case at::kHalf:
      return kFloat16;
    case at::kBFloat16:
      return kBFloat16;
    case at::kLong:
      return {FV_INT, 64, 1};
    case at::kInt:
      return kInt32;
    case at::kShort:
      return {FV_INT, 16, 1};
    case at::kChar:
      return {FV_INT, 8, 1};
    case at::kByte:
      return kUInt8;
    case at::kBool:
      return kBool;
    default:
      throw std::invalid_argument(std::string("tensors of ") + at::toString(type) + " do not cross the ABI");
  }
}

/// LibTorch's element type for DLPack's. Throws std::invalid_argument for types that LibTorch does not have.
inline at::ScalarType to_scalar_type(fv_dtype dtype) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble, at::kLong, at::kInt, at::kShort,
                                    at::kChar, at::kByte, at::kBool})
    if (same_dtype(to_dtype(type), dtype)) return type;
  throw std::invalid_argument("LibTorch has no element type " + dtype_name(dtype));
}

inline at::Device to_device(fv_device device) {
  if (device.type == FV_DEVICE_CPU) return at::Device(at::kCPU);
  if (device.type == FV_DEVICE_CUDA) return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(device.index));
  throw std::invalid_argument("no LibTorch device for DLPack device type " + std::to_string(device.type));
}

inline fv_device from_device(at::Device device) {
  if (device.is_cpu()) return {FV_DEVICE_CPU, 0};
  if (device.is_cuda()) return {FV_DEVICE_CUDA, device.has_index() ? device.index() : 0};
  throw std::invalid_argument("tensors on " + device.str() + " do not cross the ABI");
}

/// A borrowed tensor as a non-owning at::Tensor over the same memory; valid as long as that memory.
inline at::Tensor borrow(const fv_tensor& tensor) {
  const at::Device device = to_device(tensor.device);
  return at::for_blob(data_of(tensor), at::IntArrayRef(tensor.shape, tensor.ndim))
      .strides(at::IntArrayRef(tensor.strides, tensor.ndim))
      .target_device(device)
      .options(at::TensorOptions().dtype(to_scalar_type(tensor.dtype)).device(device))
      .make_tensor();
}

/// An at::Tensor, kept alive, with an fv_tensor over its memory to pass across the ABI. At most 8 dimensions.
class LentTensor {
 public:
  explicit LentTensor(at::Tensor tensor) : tensor_(std::move(tensor)) {
    if (tensor_.dim() > static_cast<int64_t>(shape_.size()))
      throw std::invalid_argument("a tensor of " + std::to_string(tensor_.dim()) + " dimensions; 8 cross the ABI");
    std::copy(tensor_.sizes().begin(), tensor_.sizes().end(), shape_.begin());
    std::copy(tensor_.strides().begin(), tensor_.strides().end(), strides_.begin());
    view_ = {tensor_.data_ptr(),
             from_device(tensor_.device()),
             static_cast<int32_t>(tensor_.dim()),
             to_dtype(tensor_.scalar_type()),
             shape_.data(),
             strides_.data(),
             0};
  }
  LentTensor(const LentTensor&) = delete;
  LentTensor& operator=(const LentTensor&) = delete;

  const fv_tensor* get() const { return &view_; }

 private:
  at::Tensor tensor_;
  std::array<int64_t, 8> shape_{};
  std::array<int64_t, 8> strides_{};
  fv_tensor view_{};
};

/// The native handle of LibTorch's current stream on a device; nullptr on the CPU.
inline void* current_stream(at::Device device) {
  if (device.is_cpu()) return nullptr;
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device).native_handle();
}

/// Makes a native stream LibTorch's current one while it lives; does nothing on the CPU.
class StreamScope {
 public:
  StreamScope(at::Device device, void* stream) : device_(device) {
    if (device.is_cpu() || current_stream(device) == stream) return;
    // LibTorch's id of an external stream is the address of its handle; the default stream's id is 0.
    const c10::Stream wanted(c10::Stream::UNSAFE, device, reinterpret_cast<c10::StreamId>(stream));
    previous_ = c10::impl::VirtualGuardImpl(device.type()).exchangeStream(wanted);
  }
  ~StreamScope() {
    if (previous_) c10::impl::VirtualGuardImpl(device_.type()).exchangeStream(*previous_);
  }
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  at::Device device_;
  std::optional<c10::Stream> previous_;
};

}  // namespace fastvideo
