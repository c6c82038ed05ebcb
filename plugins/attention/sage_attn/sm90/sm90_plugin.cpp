// SAGE_ATTN/sm90: quantised attention for Hopper, free of any framework.
#include <algorithm>
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/dense/dense.hpp"
#include "plugins/attention/common/hopper/make_call.hpp"
#include "plugins/attention/sage_attn/settings.hpp"
#include "plugins/attention/sage_attn/sm90/launch.hpp"
#include "plugins/attention/sage_attn/sm90/log_sum_exp.hpp"
#include "plugins/attention/sage_attn/sm90/operands.hpp"

namespace fastvideo::sage {
namespace {

// For estimates: measured on an H200, from 1,560 tokens to 75,600 (docs/measured/attention_turns.md).
constexpr double kLaunchMicroseconds = 20;
constexpr double kElementsPerMicrosecond = 8e5;   // of queries, keys and values, quantised
constexpr double kBiasBytesPerMicrosecond = 1e6;  // of the biases of smooth_q
constexpr int64_t kGridLimit = 65535;             // of CUDA, in the dimensions for heads and batch

// Microseconds of a call. Two consumers of 64 queries; three at head size 64 where registers allow (kernels.cuh).
double estimate(const Settings& settings, const fv_attention_site& site) {
  const auto parts = [](int64_t of, int64_t size) {
    const int64_t count = (of + size - 1) / size;
    return static_cast<double>(count);
  };
  const bool large = site.head_size == 128;
  const double heads = static_cast<double>(site.batch) * site.query_heads;
  const double rows = !large && settings.fp8_values && !settings.smooth_q ? 192 : 128;
  hopper::TileTimes times = large ? hopper::TileTimes{1.26, 2.2} : hopper::TileTimes{1.38 * rows / 192, 2};
  if (!settings.fp8_values) times.key_block *= 1.24;
  if (settings.smooth_q) times.key_block *= large ? 1.14 : 1.3;
  const double key_blocks = parts(site.key_length, kBlockTokens);
  const double tiles = heads * parts(site.query_length, static_cast<int64_t>(rows));
  const double elements =
      site.head_size * (heads * static_cast<double>(site.query_length) +
                        2.0 * static_cast<double>(site.batch) * site.kv_heads * static_cast<double>(site.key_length));
  double all =
      kLaunchMicroseconds + elements / kElementsPerMicrosecond + hopper::tiles_microseconds(times, tiles, key_blocks);
  if (settings.smooth_q)
    all += heads * parts(site.query_length, kQueryBlock) * key_blocks * kBlockTokens * 4 / kBiasBytesPerMicrosecond;
  return all;
}

class Plan final : public AttentionPlan {
 public:
  Plan(const fv_attention_site& site, const Settings& settings)
      : site_(site), settings_(settings), name_("sm90_" + settings.name()) {
    quantiser_.bfloat16 = same_dtype(site.dtype, kBFloat16);
    quantiser_.head_size = site.head_size;
    quantiser_.fp8_values = settings.fp8_values;
    quantiser_.smooth_k = settings.smooth_k;
    quantiser_.per_block = settings.per_block;
    quantiser_.smooth_q = settings.smooth_q;
    dense_ = dense::find_kernel(quantiser_.bfloat16, hopper::sizes_of(site));
    if (dense_ == nullptr) throw Refused("SAGE_ATTN/sm90 has no kernel for this site");
    const hopper::CurrentDevice current(site.device.index);
    blocks_ = sage::prepare(quantiser_);
    queries_together_ = queries_together(quantiser_, site.batch, site.query_length, site.key_length, site.query_heads);
    scratch_bytes_ = workspace_bytes(quantiser_, site.batch, site.query_length, site.key_length, site.query_heads,
                                     site.kv_heads, blocks_);
    if (settings_.depends() == 0) return;
    dense_blocks_ = dense_->prepare();
    scratch_bytes_ = std::max(scratch_bytes_, dense_->piece_bytes(site.key_length, dense_blocks_));
  }

  void describe(fv_attention_plan_info& info) const override {
    info.numerics = FV_NUMERICS_APPROXIMATE;
    info.depends = settings_.depends();
    info.can_capture = 1;
    info.scratch_bytes = scratch_bytes_;
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const fv_attention_site& site = site_.get();
    const CallShape shape = settings_.check(site, args);
    auto* stream = static_cast<CUstream_st*>(args.stream);
    const hopper::CurrentDevice current(site.device.index);
    const hopper::Call call = hopper::make_call(site, shape, args);
    if (settings_.in_full_precision(args)) {
      dense_->launch(call, dense_blocks_, stream);
      return;
    }
    launch(quantiser_, call, queries_together_, args.scratch, blocks_, Part::all, stream);
    add_mean_scores(quantiser_, call, args.scratch, stream);
  }

 private:
  AttentionSiteCopy site_;
  Settings settings_;
  std::string name_;
  Quantiser quantiser_{};
  int blocks_ = 0;
  int64_t queries_together_ = 0;
  size_t scratch_bytes_ = 0;
  const dense::Kernel* dense_ = nullptr;  // for layers and steps in full precision
  int dense_blocks_ = 0;
};

class Backend final : public AttentionBackend {
 public:
  explicit Backend(const Options& options) : settings_(options) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CUDA) return Support::no("runs on a Hopper GPU");
    if (const auto reason = settings_.refuses(site)) return Support::no(*reason);
    if (!same_dtype(site.dtype, kBFloat16) && !same_dtype(site.dtype, kFloat16))
      return Support::no("bfloat16 and float16, not " + dtype_name(site.dtype));
    if (site.head_size != 64 && site.head_size != 128)
      return Support::no("head sizes 64 and 128, not " + std::to_string(site.head_size));
    if (2 * site.batch > kGridLimit || site.query_heads + 2 * site.kv_heads > kGridLimit)
      return Support::no("batch " + std::to_string(site.batch) + " and " + std::to_string(site.query_heads) +
                         " heads: a launch holds at most " + std::to_string(kGridLimit / 2) + " and " +
                         std::to_string(kGridLimit / 3));
    return Support::yes(FV_NUMERICS_APPROXIMATE, estimate(settings_, site), settings_.name());
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    return std::make_unique<Plan>(site, settings_);
  }

 private:
  Settings settings_;
};

}  // namespace
}  // namespace fastvideo::sage

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::sage::Backend>("SAGE_ATTN", "sm90"))
