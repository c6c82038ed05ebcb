#include "plugins/attention/torch_sdpa/estimate.hpp"

namespace fastvideo::torch_sdpa {
namespace {

constexpr double kLaunchMicroseconds = 20;

// cuDNN takes keys in blocks of 128, and a tile of queries has an overhead of some 60 keys: 566 TFLOP/s over 75,600
// keys, 494 over 512, 452 over 769.
constexpr int64_t kKeyBlock = 128;
constexpr double kKeysOfATile = 60;

}  // namespace

double estimate(const fv_attention_site& site, at::SDPBackend kernel) {
  if (site.device.type != FV_DEVICE_CUDA || site.masks != 0) return 0;
  auto keys = static_cast<double>(site.key_length);
  double flops_per_microsecond = 0;
  if (kernel == at::SDPBackend::cudnn_attention) {
    const int64_t whole_blocks = (site.key_length + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
    keys = static_cast<double>(whole_blocks) + kKeysOfATile;
    flops_per_microsecond = site.head_size <= 64 ? 4.65e8 : 5.8e8;
  } else if (kernel == at::SDPBackend::flash_attention) {
    flops_per_microsecond = 3.3e8;
  } else {
    return 0;
  }
  return kLaunchMicroseconds + 4.0 * static_cast<double>(site.batch) * site.query_heads * site.head_size *
                                   static_cast<double>(site.query_length) * keys / flops_per_microsecond;
}

}  // namespace fastvideo::torch_sdpa
