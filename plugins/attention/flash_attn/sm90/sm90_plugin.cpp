// FLASH_ATTN/sm90: the kernel for Hopper, free of any framework.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/call.hpp"
#include "plugins/attention/flash_attn/sm90/launch.hpp"

namespace fastvideo::sm90 {
namespace {

// Measured on an H200 for long sequences; an estimate for choosing between backends.
constexpr double kFlopsPerMicrosecond = 6e8;
constexpr double kLaunchMicroseconds = 5;

// Makes a device current, and the one before again at the end.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device) {
    check_cuda(cudaGetDevice(&before_), "asking for the current device");
    if (device != before_) check_cuda(cudaSetDevice(device), "choosing a device");
  }
  ~CurrentDevice() { cudaSetDevice(before_); }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int before_ = 0;
};

// Above so many keys a wide block is best whatever it leaves empty at the end.
constexpr int64_t kShortKeys = 1024;

// Keys that blocks of a kernel cover where there are so many.
int64_t covered(const Kernel& kernel, int64_t keys) {
  return (keys + kernel.key_width - 1) / kernel.key_width * kernel.key_width;
}

// The kernel of that tile for a site, or nullptr. "auto": the first of its kind; over few keys the first of those that
// leave least of their last block empty (measured at 512 keys: 128 wide is 2 % faster than 176).
const Kernel* find_kernel(const fv_attention_site& site, std::string_view tile) {
  const bool bfloat16 = same_dtype(site.dtype, kBFloat16);
  if (!bfloat16 && !same_dtype(site.dtype, kFloat16)) return nullptr;
  const Kernel* best = nullptr;
  for (const Kernel& kernel : bfloat16 ? bfloat16_kernels() : float16_kernels()) {
    if (kernel.head_size != site.head_size || (tile != "auto" && tile != kernel.name)) continue;
    if (best == nullptr ||
        (site.key_length <= kShortKeys && covered(kernel, site.key_length) < covered(*best, site.key_length)))
      best = &kernel;
  }
  return best;
}

TokenStrides strides_of(const fv_tensor& t) { return {t.strides[0], t.strides[1], t.strides[2]}; }

class Plan final : public AttentionPlan {
 public:
  Plan(const fv_attention_site& site, const Kernel& kernel)
      : site_(site), kernel_(kernel), name_(std::string("sm90_") + kernel.name) {
    const CurrentDevice current(site.device.index);
    blocks_ = kernel.prepare();
  }

  void describe(fv_attention_plan_info& info) const override {
    info.numerics = FV_NUMERICS_REORDERED;
    info.can_capture = 1;
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const fv_attention_site& site = site_.get();
    const CallShape shape = check_call(site, args);
    Call call{};
    call.batch = shape.batch;
    call.queries = shape.queries;
    call.keys = shape.keys;
    call.heads = shape.heads;
    call.kv_heads = shape.kv_heads;
    call.q = data_of(*args.q);
    call.k = data_of(*args.k);
    call.v = data_of(*args.v);
    call.out = data_of(*args.out);
    call.q_strides = strides_of(*args.q);
    call.k_strides = strides_of(*args.k);
    call.v_strides = strides_of(*args.v);
    call.out_strides = strides_of(*args.out);
    if (args.key_lengths != nullptr) call.key_lengths = static_cast<const int32_t*>(data_of(*args.key_lengths));
    if (args.log_sum_exp != nullptr) {
      call.log_sum_exp = static_cast<float*>(data_of(*args.log_sum_exp));
      call.log_sum_exp_batch = args.log_sum_exp->strides[0];
      call.log_sum_exp_head = args.log_sum_exp->strides[1];
    }
    call.scale = static_cast<float>(site.scale);
    const CurrentDevice current(site.device.index);
    kernel_.launch(call, blocks_, static_cast<CUstream_st*>(args.stream));
  }

 private:
  AttentionSiteCopy site_;
  const Kernel& kernel_;
  std::string name_;
  int blocks_ = 0;
};

class Backend final : public AttentionBackend {
 public:
  explicit Backend(const Options& options) : tile_(options.string("tile")) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CUDA) return Support::no("runs on a Hopper GPU");
    if ((site.masks & ~uint32_t{FV_MASK_KEY_LENGTHS}) != 0) return Support::no("no masks but key lengths");
    if (site.kv_heads < 1 || site.query_heads % site.kv_heads != 0)
      return Support::no(std::to_string(site.query_heads) + " query heads cannot share " +
                         std::to_string(site.kv_heads) + " key heads");
    if (!(site.scale > 0)) return Support::no("the scale of the scores must be positive");
    if (std::max(site.query_length, site.key_length) > INT32_MAX / 2)
      return Support::no("at most " + std::to_string(INT32_MAX / 2) + " tokens");
    const Kernel* kernel = find_kernel(site, tile_);
    if (kernel == nullptr)
      return Support::no("no kernel for " + dtype_name(site.dtype) + ", head size " + std::to_string(site.head_size) +
                         " and tile '" + tile_ + "': bfloat16 or float16, 64 or 128");
    const double flops = 4.0 * static_cast<double>(site.batch) * site.query_heads * site.head_size *
                         static_cast<double>(site.query_length) * static_cast<double>(site.key_length);
    return Support::yes(FV_NUMERICS_REORDERED, kLaunchMicroseconds + flops / kFlopsPerMicrosecond, kernel->name);
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    const Kernel* kernel = find_kernel(site, tile_);
    if (kernel == nullptr) throw Refused("FLASH_ATTN/sm90 has no kernel for this site");
    return std::make_unique<Plan>(site, *kernel);
  }

 private:
  std::string tile_;
};

}  // namespace
}  // namespace fastvideo::sm90

FASTVIDEO_PLUGIN("org.fastvideo.flash_attn", "0.1.0",
                 fastvideo::attention<fastvideo::sm90::Backend>("FLASH_ATTN", "sm90"))
