/* fastvideo/matrix_product.h - a matrix product, the yardstick of attention's speed.
 *
 * Attention is two matrix products and a softmax between them: the throughput of a large matrix product on a device is
 * the ceiling for attention there. An attention item that has such a product at hand (a framework, a vendor's library)
 * may offer it by this table beside the table of its kind; `fastvideo bench attention` then times the product among the
 * backends.
 */
#ifndef FASTVIDEO_MATRIX_PRODUCT_H_
#define FASTVIDEO_MATRIX_PRODUCT_H_

#include "fastvideo/abi.h"
#include "fastvideo/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The table, which an attention item may offer. */
#define FV_MATRIX_PRODUCT_INTERFACE "fastvideo.matrix_product/1"
typedef struct fv_matrix_product_interface {
  uint32_t struct_size;
  uint32_t reserved0;
  /* [one per stream] c = a b with a [M, K], b [K, N] and c [M, N], dense, of one type and on one device; summed in
   * float32 at least. Enqueues and returns; on the CPU returns when c is written. Memory as in run of attention.
   * FV_REFUSED for a type or device that the product does not support. */
  fv_status (*multiply)(const fv_tensor* a, const fv_tensor* b, const fv_tensor* c, void* stream, fv_text* error);
} fv_matrix_product_interface;

#ifdef __cplusplus
}
#endif
#endif
