#include "plugins/attention/torch_sdpa/kernel_choice.hpp"

#include <ATen/ATen.h>

#include <stdexcept>

namespace fastvideo::torch_sdpa {
namespace {

std::shared_mutex& switches_mutex() {
  static std::shared_mutex mutex;
  return mutex;
}

// Keeps the warnings in which LibTorch explains why it does not use a kernel.
class WarningTexts : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override {
    const std::string& text = warning.msg();
    // LibTorch's headings for each kernel, and its complaints about kernels that this code has switched off.
    if (text.find("not used because") != std::string::npos || text.find("disabled") != std::string::npos) return;
    if (!texts_.empty()) texts_ += "; ";
    texts_ += text.substr(0, text.find(" (Triggered internally"));
  }
  const std::string& texts() const { return texts_; }

 private:
  std::string texts_;
};

// A tensor of the problem's type and the layout [B, L, H, D] seen as [B, H, L, D]. Its memory is never read.
at::Tensor stand_in(const Problem& p, int64_t heads, int64_t length) {
  alignas(16) static char memory[16];
  return at::for_blob(memory, {p.batch, heads, length, p.head_size})
      .strides({length * heads * p.head_size, p.head_size, heads * p.head_size, 1})
      .target_device(p.device)
      .options(at::TensorOptions().dtype(p.dtype).device(p.device))
      .make_tensor();
}

at::Tensor stand_in_mask(const Problem& p) {
  if (!p.mask) return {};
  alignas(16) static char memory[16];
  return at::for_blob(memory, {p.batch, p.query_heads, p.query_length, p.key_length})
      .strides({p.query_length * p.key_length, 0, p.key_length, 1})
      .target_device(p.device)
      .options(at::TensorOptions().dtype(*p.mask).device(p.device))
      .make_tensor();
}

Choice ask(const Problem& p, std::optional<at::SDPBackend> forced, bool repeat_heads) {
  const bool grouped = p.query_heads != p.kv_heads;
  const at::Tensor q = stand_in(p, p.query_heads, p.query_length);
  const at::Tensor kv = stand_in(p, repeat_heads ? p.query_heads : p.kv_heads, p.key_length);
  const at::Tensor mask = stand_in_mask(p);
  WarningTexts warnings;
  const c10::WarningUtils::WarningHandlerGuard handler(&warnings);
  const KernelScope scope(forced);
  try {
    const auto kernel = static_cast<at::SDPBackend>(
        at::_fused_sdp_choice(q, kv, kv, mask.defined() ? std::optional(mask) : std::nullopt, 0.0, p.causal,
                              std::nullopt, grouped && !repeat_heads));
    if (kernel >= at::SDPBackend::math && (!forced || kernel == *forced)) return {kernel, repeat_heads, {}};
  } catch (const c10::Error&) {  // on CUDA, after the warnings, which say more
  }
  return {std::nullopt, repeat_heads, warnings.texts().empty() ? "it gives no reason" : warnings.texts()};
}

}  // namespace

std::optional<at::SDPBackend> parse_kernel(std::string_view option) {
  if (option == "auto") return std::nullopt;
  for (const at::SDPBackend kernel : {at::SDPBackend::math, at::SDPBackend::flash_attention,
                                      at::SDPBackend::efficient_attention, at::SDPBackend::cudnn_attention}) {
    if (option == kernel_name(kernel)) return kernel;
  }
  throw std::invalid_argument("no kernel '" + std::string(option) + "': auto, math, flash, efficient or cudnn");
}

const char* kernel_name(at::SDPBackend kernel) {
  switch (kernel) {
    case at::SDPBackend::math:
      return "math";
    case at::SDPBackend::flash_attention:
      return "flash";
    case at::SDPBackend::efficient_attention:
      return "efficient";
    case at::SDPBackend::cudnn_attention:
      return "cudnn";
    default:
      return "overrideable";
  }
}

Choice choose_kernel(const Problem& problem, std::optional<at::SDPBackend> forced) {
  const bool on_cpu = problem.device.is_cpu();
  if (on_cpu && (forced == at::SDPBackend::efficient_attention || forced == at::SDPBackend::cudnn_attention)) {
    return {std::nullopt, false, "it exists on CUDA only; the CPU has math and flash"};
  }
  Choice choice = ask(problem, forced, false);
  // Grouped heads that only the slow kernel supports may be served by a fast kernel if they are repeated.
  const bool slow = !choice.kernel || (!forced && choice.kernel == at::SDPBackend::math);
  if (problem.query_heads == problem.kv_heads || !slow) return choice;
  Choice repeated = ask(problem, forced, true);
  if (!choice.kernel || (repeated.kernel && repeated.kernel != at::SDPBackend::math)) return repeated;
  return choice;
}

KernelScope::Switches KernelScope::read() {
  const at::Context& context = at::globalContext();
  return {context.userEnabledMathSDP(), context.userEnabledFlashSDP(), context.userEnabledMemEfficientSDP(),
          context.userEnabledCuDNNSDP(), context.userEnabledOverrideableSDP()};
}

void KernelScope::write(const Switches& switches) {
  at::Context& context = at::globalContext();
  context.setSDPUseMath(switches.math);
  context.setSDPUseFlash(switches.flash);
  context.setSDPUseMemEfficient(switches.efficient);
  context.setSDPUseCuDNN(switches.cudnn);
  context.setSDPUseOverrideable(switches.overrideable);
}

KernelScope::KernelScope(std::optional<at::SDPBackend> forced) {
  if (!forced) {
    reading_ = std::shared_lock(switches_mutex());
    return;
  }
  writing_ = std::unique_lock(switches_mutex());
  former_ = read();
  write({*forced == at::SDPBackend::math, *forced == at::SDPBackend::flash_attention,
         *forced == at::SDPBackend::efficient_attention, *forced == at::SDPBackend::cudnn_attention, false});
}

KernelScope::~KernelScope() {
  if (former_) write(*former_);
}

}  // namespace fastvideo::torch_sdpa
