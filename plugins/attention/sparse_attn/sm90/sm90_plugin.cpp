// SPARSE_ATTN/sm90: blocks of keys chosen at run time on the Hopper main loop of FLASH_ATTN, free of any framework.
#include <algorithm>
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/dense/dense.hpp"
#include "plugins/attention/common/hopper/make_call.hpp"
#include "plugins/attention/sparse_attn/site_plan.hpp"
#include "plugins/attention/sparse_attn/sm90/launch.hpp"

namespace fastvideo::sparse {
namespace {

// Beside attention: launches, and choosing, which reads queries and keys once.
constexpr double kBytesPerMicrosecond = 2e6;
constexpr double kLaunchMicroseconds = 10;
// Time over that of dense attention and the share, 1.07 to 1.26 as measured; and with a threshold that leaves out
// nothing, over the time of dense attention, 1.02 to 1.19.
constexpr double kOverShare = 1.17, kOverDense = 1.13;
constexpr int64_t kGridLimit = 65535;  // of CUDA, in the dimensions for heads and batch

class Sm90Plan final : public AttentionPlan {
 public:
  Sm90Plan(const Settings& settings, const fv_attention_site& site, const Kernel& kernel)
      : plan_(settings, site, kernel.rows, kernel.width),
        kernel_(kernel),
        dense_(dense::find_kernel(kernel.bfloat16, hopper::sizes_of(site))),
        name_("sm90_" + std::to_string(kernel.rows) + "x" + std::to_string(kernel.width) + ", " +
              settings.describe(site, kernel.width)) {
    if (dense_ == nullptr) throw Refused("SPARSE_ATTN/sm90 has no dense kernel for this site");
    const hopper::CurrentDevice current(site.device.index);
    blocks_ = kernel.prepare();
    dense_blocks_ = dense_->prepare();
  }

  void describe(fv_attention_plan_info& info) const override {
    const fv_attention_site& site = plan_.site();
    plan_.describe(info);
    info.can_capture = 1;
    info.scratch_bytes =
        std::max(dense_->piece_bytes(site.key_length, dense_blocks_),
                 workspace_of(plan_.routing(), site.batch, site.query_heads, site.kv_heads, site.head_size).bytes);
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const CallShape shape = plan_.check(args);
    const hopper::Call call = hopper::make_call(plan_.site(), shape, args);
    auto* stream = static_cast<CUstream_st*>(args.stream);
    const hopper::CurrentDevice current(plan_.site().device.index);
    if (plan_.is_dense(args)) {
      dense_->launch(call, dense_blocks_, stream);
      return;
    }
    kernel_.route(plan_.routing(), call, args.scratch, stream);
    kernel_.attend(plan_.routing(), call, args.scratch, blocks_, stream);
  }

 private:
  SitePlan plan_;
  const Kernel& kernel_;
  const dense::Kernel* dense_;  // for calls in which everybody sees everything
  std::string name_;
  int blocks_ = 0, dense_blocks_ = 0;
};

// Threshold: all scores are computed.
class SkippingPlan final : public AttentionPlan {
 public:
  SkippingPlan(const Settings& settings, const fv_attention_site& site, const SkippingKernel& kernel)
      : plan_(settings, site, kernel.rows, kernel.width),
        threshold_(settings.threshold),
        kernel_(kernel),
        dense_(dense::find_kernel(kernel.bfloat16, hopper::sizes_of(site))),
        name_("sm90_" + std::to_string(kernel.rows) + "x" + std::to_string(kernel.width) + ", " +
              settings.describe(site, kernel.width)) {
    if (dense_ == nullptr) throw Refused("SPARSE_ATTN/sm90 has no dense kernel for this site");
    const hopper::CurrentDevice current(site.device.index);
    blocks_ = kernel.prepare();
    dense_blocks_ = dense_->prepare();
  }

  void describe(fv_attention_plan_info& info) const override {
    const int64_t keys = plan_.site().key_length;
    plan_.describe(info);
    info.can_capture = 1;
    info.scratch_bytes = std::max(dense_->piece_bytes(keys, dense_blocks_), kernel_.piece_bytes(keys, blocks_));
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const CallShape shape = plan_.check(args);
    const hopper::Call call = hopper::make_call(plan_.site(), shape, args);
    auto* stream = static_cast<CUstream_st*>(args.stream);
    const hopper::CurrentDevice current(plan_.site().device.index);
    if (plan_.is_dense(args))
      dense_->launch(call, dense_blocks_, stream);
    else
      kernel_.launch(threshold_, call, blocks_, stream);
  }

 private:
  SitePlan plan_;
  double threshold_;
  const SkippingKernel& kernel_;
  const dense::Kernel* dense_;  // for calls in which everybody sees everything
  std::string name_;
  int blocks_ = 0, dense_blocks_ = 0;
};

class Sm90Backend final : public AttentionBackend {
 public:
  explicit Sm90Backend(const Options& options) : settings_(options), key_block_(options.string("key_block")) {
    if (settings_.select == Select::threshold && key_block_ != "auto")
      throw Refused("key_block = \"" + key_block_ +
                    "\" says nothing with select = \"threshold\", whose kernel has one width; leave it out");
  }

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CUDA) return Support::no("runs on a Hopper GPU");
    if (const auto reason = refuses(site)) return Support::no(*reason);
    const double heads = static_cast<double>(site.batch) * site.query_heads;
    const double elements = heads * site.head_size * static_cast<double>(site.query_length);
    const dense::Kernel& dense = *dense::find_kernel(find(site)->bfloat16, hopper::sizes_of(site));
    double score = dense::estimate(dense, hopper::sizes_of(site));
    if (settings_.select == Select::threshold)
      score = kLaunchMicroseconds + kOverDense * score;
    else if (!settings_.is_dense())
      score =
          kLaunchMicroseconds + kOverShare * settings_.expected_share() * score + 4 * elements / kBytesPerMicrosecond;
    return Support::yes(settings_.is_dense() ? FV_NUMERICS_REORDERED : FV_NUMERICS_APPROXIMATE, score,
                        settings_.describe(site, width_of(site)));
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    if (const auto reason = refuses(site)) throw Refused(*reason);
    if (settings_.select == Select::threshold)
      return std::make_unique<SkippingPlan>(settings_, site,
                                            *find_skipping_kernel(find(site)->bfloat16, site.head_size));
    return std::make_unique<Sm90Plan>(settings_, site, *find(site));
  }

 private:
  int width_of(const fv_attention_site& site) const {
    const Kernel& kernel = *find(site);
    return settings_.select == Select::threshold ? find_skipping_kernel(kernel.bfloat16, site.head_size)->width
                                                 : kernel.width;
  }
  const Kernel* find(const fv_attention_site& site) const {
    const bool bfloat16 = same_dtype(site.dtype, kBFloat16);
    if (!bfloat16 && !same_dtype(site.dtype, kFloat16)) return nullptr;
    return find_kernel(bfloat16, site.head_size, key_block_);
  }

  std::optional<std::string> refuses(const fv_attention_site& site) const {
    if (auto reason = settings_.refuses(site)) return reason;
    const Kernel* kernel = find(site);
    if (kernel == nullptr)
      return "no kernel for " + dtype_name(site.dtype) + ", head size " + std::to_string(site.head_size) +
             " and key_block = \"" + key_block_ +
             "\": bfloat16 or float16; 64 with key blocks of 128, or 128 with 128, 144 or 176";
    if (site.key_length > int64_t{kMostKeyBlocks} * kernel->width)
      return std::to_string(site.key_length) + " tokens; at most " +
             std::to_string(int64_t{kMostKeyBlocks} * kernel->width);
    if (site.batch > kGridLimit || site.query_heads > kGridLimit)
      return "batch " + std::to_string(site.batch) + " and " + std::to_string(site.query_heads) +
             " heads: a launch holds at most " + std::to_string(kGridLimit) + " of each";
    return std::nullopt;
  }

  Settings settings_;
  std::string key_block_;
};

}  // namespace
}  // namespace fastvideo::sparse

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::sparse::Sm90Backend>("SPARSE_ATTN", "sm90"))
