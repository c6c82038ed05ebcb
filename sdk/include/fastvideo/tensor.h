/* fastvideo/tensor.h - tensors as they cross the ABI: DLPack's DLTensor by layout, under names of our own.
 *
 * Two copies of DLPack's header in one translation unit clash, so this header is not a copy. The values and the layout
 * are those of DLPack 1.x (dmlc/dlpack, include/dlpack/dlpack.h); a test compares them with the header that LibTorch
 * ships.
 *
 * A tensor is always borrowed: for the call, or on a device until the stream of the call has passed it. Strides are
 * given, in elements, and the last one is 1. Data and every other stride in bytes are multiples of 16, unless that
 * dimension has length 1.
 */
#ifndef FASTVIDEO_TENSOR_H_
#define FASTVIDEO_TENSOR_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Devices, as in DLDeviceType. */
enum { FV_DEVICE_CPU = 1, FV_DEVICE_CUDA = 2 };

/* The device that holds a tensor's data; index 0 for the CPU. Frozen. */
typedef struct fv_device {
  int32_t type;
  int32_t index;
} fv_device;

/* Type codes, as in DLDataTypeCode. */
enum { FV_INT = 0, FV_UINT = 1, FV_FLOAT = 2, FV_BFLOAT = 4, FV_BOOL = 6 };

/* Element type: bfloat16 is {FV_BFLOAT, 16, 1}. Frozen. */
typedef struct fv_dtype {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} fv_dtype;

/* A strided view of memory. The address of the first element is data + byte_offset bytes. Frozen. */
typedef struct fv_tensor {
  void* data;
  fv_device device;
  int32_t ndim;
  fv_dtype dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
} fv_tensor;

#ifdef __cplusplus
}
#endif
#endif
