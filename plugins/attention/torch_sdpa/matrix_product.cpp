#include "plugins/attention/torch_sdpa/matrix_product.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

#include <fastvideo/core.hpp>
#include <fastvideo/torch.hpp>
#include <fastvideo/torch_errors.hpp>
#include <optional>

namespace fastvideo::torch_sdpa {
namespace {

fv_status multiply(const fv_tensor* a, const fv_tensor* b, const fv_tensor* c, void* stream, fv_text* error) {
  return guard(error, [&] {
    const at::Device device = to_device(c->device);
    const c10::InferenceMode no_gradients;
    std::optional<c10::DeviceGuard> device_guard;
    if (device.is_cuda()) device_guard.emplace(device);
    const StreamScope scope(device, stream);
    with_short_torch_errors([&] {
      at::Tensor out = borrow(*c);
      at::mm_out(out, borrow(*a), borrow(*b));
    });
  });
}

}  // namespace

const fv_matrix_product_interface* matrix_product() {
  static const fv_matrix_product_interface table = {sizeof(fv_matrix_product_interface), 0, multiply};
  return &table;
}

}  // namespace fastvideo::torch_sdpa
