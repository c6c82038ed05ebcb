// SAGE_ATTN/cpu: the numerics of the Hopper kernel, for tests and for trying the numerics on any machine.
#include <fastvideo/plugin.hpp>

#include "plugins/attention/sage_attn/cpu/attention.hpp"

namespace fastvideo::sage {
namespace {

class Plan final : public AttentionPlan {
 public:
  Plan(const Host& host, const fv_attention_site& site, const Settings& settings)
      : host_(host), site_(site), settings_(settings), name_("cpu_" + settings.name()) {}

  void describe(fv_attention_plan_info& info) const override {
    info.numerics = FV_NUMERICS_APPROXIMATE;
    info.depends = settings_.depends();
    info.scratch_bytes = scratch_bytes(site_.get());
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const CallShape shape = settings_.check(site_.get(), args);
    attend(host_, settings_, site_.get().scale, shape, args);
  }

 private:
  Host host_;
  AttentionSiteCopy site_;
  Settings settings_;
  std::string name_;
};

class Backend final : public AttentionBackend {
 public:
  Backend(const Host& host, const Options& options) : host_(host), settings_(options) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CPU) return Support::no("runs on the CPU");
    if ((site.require & FV_REQUIRE_CAPTURE) != 0) return Support::no("a CUDA graph cannot hold work on the CPU");
    if (!same_dtype(site.dtype, kFloat32) && !same_dtype(site.dtype, kBFloat16) && !same_dtype(site.dtype, kFloat16))
      return Support::no("float32, bfloat16 and float16, not " + dtype_name(site.dtype));
    if (const auto reason = settings_.refuses(site)) return Support::no(*reason);
    return Support::yes(FV_NUMERICS_APPROXIMATE, 0, settings_.name());
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    return std::make_unique<Plan>(host_, site, settings_);
  }

 private:
  Host host_;
  Settings settings_;
};

}  // namespace
}  // namespace fastvideo::sage

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::sage::Backend>("SAGE_ATTN", "cpu"))
