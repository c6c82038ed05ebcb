/* Compiled as C11, C++17 and C++20: the headers are valid in each, and the layout is the frozen one. */
#include <fastvideo/abi.h>
#include <fastvideo/attention.h>
#include <fastvideo/cache.h>
#include <fastvideo/calibration.h>
#include <fastvideo/early_signals.h>
#include <fastvideo/matrix_product.h>
#include <fastvideo/pipeline.h>
#include <fastvideo/tensor.h>

#ifdef __cplusplus
#define LAYOUT_ASSERT static_assert
#else
#define LAYOUT_ASSERT _Static_assert
#endif
#define SIZE(type, bytes) LAYOUT_ASSERT(sizeof(type) == (bytes), #type " changed its size");
#define OFFSET(type, field, bytes) LAYOUT_ASSERT(offsetof(type, field) == (bytes), #type "." #field " moved");

#include "layout_0_1.inc"

LAYOUT_ASSERT(FV_ABI_MAJOR == 0 && FV_ABI_MINOR == 1, "a new ABI needs a layout file of its own");
