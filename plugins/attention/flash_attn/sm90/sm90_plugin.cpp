// FLASH_ATTN/sm90: the kernel for Hopper, free of any framework.
#include <algorithm>
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/dense/dense.hpp"
#include "plugins/attention/common/hopper/make_call.hpp"

namespace fastvideo::sm90 {
namespace {

// The kernel with the given tile for a site, or nullptr.
const dense::Kernel* find_kernel(const fv_attention_site& site, std::string_view tile) {
  const bool bfloat16 = same_dtype(site.dtype, kBFloat16);
  if (!bfloat16 && !same_dtype(site.dtype, kFloat16)) return nullptr;
  return dense::find_kernel(bfloat16, hopper::sizes_of(site), tile);
}

class Plan final : public AttentionPlan {
 public:
  Plan(const fv_attention_site& site, const dense::Kernel& kernel)
      : site_(site), kernel_(kernel), name_(std::string("sm90_") + kernel.name) {
    const hopper::CurrentDevice current(site.device.index);
    blocks_ = kernel.prepare();
  }

  void describe(fv_attention_plan_info& info) const override {
    info.numerics = FV_NUMERICS_REORDERED;
    info.can_capture = 1;
    info.scratch_bytes = kernel_.piece_bytes(site_.get().key_length, blocks_);
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const fv_attention_site& site = site_.get();
    const hopper::Call call = hopper::make_call(site, check_call(site, args), args);
    const hopper::CurrentDevice current(site.device.index);
    kernel_.launch(call, blocks_, static_cast<CUstream_st*>(args.stream));
  }

 private:
  AttentionSiteCopy site_;
  const dense::Kernel& kernel_;
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
    const dense::Kernel* kernel = find_kernel(site, tile_);
    if (kernel == nullptr)
      return Support::no("no kernel for " + dtype_name(site.dtype) + ", head size " + std::to_string(site.head_size) +
                         " and tile '" + tile_ + "': bfloat16 or float16, 64 or 128");
    const double score = dense::estimate(*kernel, hopper::sizes_of(site));
    return Support::yes(FV_NUMERICS_REORDERED, score, kernel->name);
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    const dense::Kernel* kernel = find_kernel(site, tile_);
    if (kernel == nullptr) throw Refused("FLASH_ATTN/sm90 has no kernel for this site");
    return std::make_unique<Plan>(site, *kernel);
  }

 private:
  std::string tile_;
};

}  // namespace
}  // namespace fastvideo::sm90

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::sm90::Backend>("FLASH_ATTN", "sm90"))
