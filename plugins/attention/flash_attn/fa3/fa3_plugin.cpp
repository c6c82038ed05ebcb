// FLASH_ATTN/fa3: FlashAttention-3 where its package is installed beside LibTorch.
#include <memory>

#include "plugins/attention/flash_attn/fa3/operator.hpp"
#include "plugins/attention/flash_attn/torch_run.hpp"

namespace fastvideo::fa3 {
namespace {

// An H200 at its power limit sustains 657 to 683 TFLOP/s at head size 128. The estimate lies below, so that the kernel
// of this repository is preferred where both can serve a site.
constexpr double kFlopsPerMicrosecond = 5.7e8;
constexpr double kLaunchMicroseconds = 20;

class Backend final : public AttentionBackend {
 public:
  explicit Backend(const Options& options) {
    // The host fills in the path that it finds.
    if (options.has("fa3_library")) operator_.emplace(std::string(options.string("fa3_library")));
  }

  Support supports(const fv_attention_site& site) const override {
    if (!operator_) return Support::no("FlashAttention-3 is not installed: option fa3_library names no file");
    const bool is_cuda = site.device.type == FV_DEVICE_CUDA;
    if (!is_cuda && site.device.type != FV_DEVICE_CPU) return Support::no("runs on CUDA");
    if (is_cuda && !at::hasCUDA()) return Support::no("LibTorch finds no CUDA device");
    if (!operator_->runs_on(is_cuda ? at::kCUDA : at::kCPU))
      return Support::no(std::string("the installed operator has no kernel for ") + (is_cuda ? "CUDA" : "the CPU"));
    if ((site.require & FV_REQUIRE_CAPTURE) != 0)
      return Support::no("cannot be captured in a CUDA graph: the operator allocates memory");
    if (const std::string reason = flash_torch::reason_against(site); !reason.empty()) return Support::no(reason);
    return Support::yes(FV_NUMERICS_REORDERED,
                        kLaunchMicroseconds + flash_torch::operations(site) / kFlopsPerMicrosecond,
                        "the installed FlashAttention-3");
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    if (const Support support = supports(site); !support.supported) throw Refused(support.reason);
    return AttentionBackend::plan(site);
  }

  void run(const fv_attention_site& site, const fv_attention_args& args) override {
    flash_torch::run(site, args, [&](const Call& call) { operator_->attend(call); });
  }

 private:
  std::optional<Operator> operator_;
};

}  // namespace
}  // namespace fastvideo::fa3

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::fa3::Backend>("FLASH_ATTN", "fa3"))
