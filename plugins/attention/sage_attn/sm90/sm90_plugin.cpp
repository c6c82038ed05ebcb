// SAGE_ATTN/sm90: quantised attention for Hopper, free of any framework.
#include <algorithm>
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/dense/dense.hpp"
#include "plugins/attention/sage_attn/settings.hpp"
#include "plugins/attention/sage_attn/sm90/launch.hpp"
#include "plugins/attention/sage_attn/sm90/log_sum_exp.hpp"

namespace fastvideo::sage {
namespace {

// An estimate for choosing between backends: long sequences on an H200.
constexpr double kFlopsPerMicrosecond = 8e8;
constexpr double kLaunchMicroseconds = 15;
constexpr int64_t kGridLimit = 65535;  // of CUDA, in the dimensions for heads and batch

template <class Strides>
Strides strides_of(const fv_tensor& t) {
  return {t.strides[0], t.strides[1], t.strides[2]};
}

// What a call of the quantised and of the dense kernel have in common.
template <class Call>
Call make_call(const CallShape& shape, const fv_attention_args& args, double scale) {
  using Strides = decltype(Call::q_strides);
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
  call.q_strides = strides_of<Strides>(*args.q);
  call.k_strides = strides_of<Strides>(*args.k);
  call.v_strides = strides_of<Strides>(*args.v);
  call.out_strides = strides_of<Strides>(*args.out);
  if (args.log_sum_exp != nullptr) {
    call.log_sum_exp = static_cast<float*>(data_of(*args.log_sum_exp));
    call.log_sum_exp_batch = args.log_sum_exp->strides[0];
    call.log_sum_exp_head = args.log_sum_exp->strides[1];
  }
  call.scale = static_cast<float>(scale);
  return call;
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
    dense_ = dense::find_kernel(quantiser_.bfloat16, site.head_size, site.key_length);
    if (dense_ == nullptr) throw Refused("SAGE_ATTN/sm90 has no kernel for this site");
    const hopper::CurrentDevice current(site.device.index);
    blocks_ = sage::prepare(quantiser_);
    if (settings_.depends() != 0) dense_blocks_ = dense_->prepare();
  }

  void describe(fv_attention_plan_info& info) const override {
    const fv_attention_site& site = site_.get();
    info.numerics = FV_NUMERICS_APPROXIMATE;
    info.depends = settings_.depends();
    info.can_capture = 1;
    info.scratch_bytes =
        workspace_bytes(quantiser_, site.batch, site.query_length, site.key_length, site.query_heads, site.kv_heads);
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const fv_attention_site& site = site_.get();
    const CallShape shape = settings_.check(site, args);
    auto* stream = static_cast<CUstream_st*>(args.stream);
    const hopper::CurrentDevice current(site.device.index);
    if (settings_.in_full_precision(args)) {
      dense_->launch(make_call<dense::Call>(shape, args, site.scale), dense_blocks_, stream);
      return;
    }
    Call call = make_call<Call>(shape, args, site.scale);
    call.workspace = args.scratch;
    launch(quantiser_, call, blocks_, Part::kAll, stream);
    add_mean_scores(quantiser_, call, stream);
  }

 private:
  AttentionSiteCopy site_;
  Settings settings_;
  std::string name_;
  Quantiser quantiser_{};
  int blocks_ = 0;
  const dense::Kernel* dense_ = nullptr;  // for layers and steps in full precision
  int dense_blocks_ = 0;
};

class Backend final : public AttentionBackend {
 public:
  explicit Backend(const Options& options) : settings_(options) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CUDA) return Support::no("runs on a Hopper GPU");
    if (settings_.smooth_q)
      return Support::no(
          "smooth_q: the Hopper kernel adds no term to the scores, which queries less their mean need; set "
          "[attention.SAGE_ATTN] smooth_q = false");
    if (const auto reason = settings_.refuses(site)) return Support::no(*reason);
    if (!same_dtype(site.dtype, kBFloat16) && !same_dtype(site.dtype, kFloat16))
      return Support::no("bfloat16 and float16, not " + dtype_name(site.dtype));
    if (site.head_size != 64 && site.head_size != 128)
      return Support::no("head sizes 64 and 128, not " + std::to_string(site.head_size));
    if (2 * site.batch > kGridLimit || site.query_heads + 2 * site.kv_heads > kGridLimit)
      return Support::no("batch " + std::to_string(site.batch) + " and " + std::to_string(site.query_heads) +
                         " heads: a launch holds at most " + std::to_string(kGridLimit / 2) + " and " +
                         std::to_string(kGridLimit / 3));
    const double flops = 4.0 * static_cast<double>(site.batch) * site.query_heads * site.head_size *
                         static_cast<double>(site.query_length) * static_cast<double>(site.key_length);
    return Support::yes(FV_NUMERICS_APPROXIMATE, kLaunchMicroseconds + flops / kFlopsPerMicrosecond, settings_.name());
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    return std::make_unique<Plan>(site, settings_);
  }

 private:
  Settings settings_;
};

}  // namespace
}  // namespace fastvideo::sage

FASTVIDEO_PLUGIN("org.fastvideo.sage_attn", "0.1.0",
                 fastvideo::attention<fastvideo::sage::Backend>("SAGE_ATTN", "sm90"))
