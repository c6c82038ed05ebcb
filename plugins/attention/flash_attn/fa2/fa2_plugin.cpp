// FLASH_ATTN/fa2: FlashAttention-2 through LibTorch's own operator.
#include "plugins/attention/flash_attn/fa2/forward.hpp"
#include "plugins/attention/flash_attn/torch_run.hpp"

namespace fastvideo::fa2 {
namespace {

// Measured on an H200 for long sequences (head size 128: 350, 64: 308); an estimate for choosing between backends.
constexpr double kFlopsPerMicrosecond = 3.3e8;
constexpr double kLaunchMicroseconds = 20;

class Backend final : public AttentionBackend {
 public:
  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CUDA) return Support::no("runs on CUDA");
    if (!at::hasCUDA()) return Support::no("LibTorch finds no CUDA device");
    if ((site.require & FV_REQUIRE_CAPTURE) != 0)
      return Support::no("cannot be captured in a CUDA graph: the operator allocates its output");
    if (const std::string reason = flash_torch::reason_against(site); !reason.empty()) return Support::no(reason);
    return Support::yes(FV_NUMERICS_REORDERED,
                        kLaunchMicroseconds + flash_torch::operations(site) / kFlopsPerMicrosecond,
                        "FlashAttention-2 of LibTorch");
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    if (const Support support = supports(site); !support.supported) throw Refused(support.reason);
    return AttentionBackend::plan(site);
  }

  void run(const fv_attention_site& site, const fv_attention_args& args) override {
    flash_torch::run(site, args, attend);
  }
};

}  // namespace
}  // namespace fastvideo::fa2

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::fa2::Backend>("FLASH_ATTN", "fa2"))
