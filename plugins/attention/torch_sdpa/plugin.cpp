// TORCH_SDPA: LibTorch's scaled dot product attention behind the ABI.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <fastvideo/plugin.hpp>
#include <fastvideo/torch.hpp>
#include <fastvideo/torch_errors.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "plugins/attention/torch_sdpa/estimate.hpp"
#include "plugins/attention/torch_sdpa/kernel_choice.hpp"
#include "plugins/attention/torch_sdpa/masks.hpp"
#include "plugins/attention/torch_sdpa/matrix_product.hpp"

namespace fastvideo::torch_sdpa {
namespace {

using Forced = std::optional<at::SDPBackend>;

bool in_grid(const fv_attention_site& site) { return site.grid[0] > 0; }

// Causality in itself implies causality between frames, since a frame's tokens follow those of the one before.
bool by_token(const fv_attention_site& site) { return (site.masks & FV_MASK_CAUSAL) != 0; }
bool by_frame(const fv_attention_site& site) { return (site.masks & FV_MASK_FRAME_CAUSAL) != 0 && !by_token(site); }

// The site as a problem for LibTorch's choice of a kernel.
Problem problem_of(const fv_attention_site& site) {
  const at::ScalarType dtype = to_scalar_type(site.dtype);
  std::optional<at::ScalarType> mask;
  if ((site.masks & (FV_MASK_KEY_LENGTHS | FV_MASK_BOOLEAN)) != 0) mask = at::kBool;
  if ((site.masks & FV_MASK_BIAS) != 0) mask = dtype;
  const int64_t frames = by_frame(site) ? site.grid[0] : 1;
  return {to_device(site.device), dtype,          site.batch,
          site.query_heads,       site.kv_heads,  site.query_length / frames,
          site.key_length,        site.head_size, mask,
          by_token(site) && !mask};
}

// LibTorch counts bytes in 64 bits, and ends the process where they overflow.
bool can_be_counted(const fv_attention_site& site, int64_t tokens) {
  int64_t elements = site.head_size;
  for (const int64_t size : {site.batch, tokens, static_cast<int64_t>(site.query_heads)})
    if (__builtin_mul_overflow(elements, size, &elements)) return false;
  return elements < INT64_MAX / 8;
}

// Why a site cannot be served by any of LibTorch's kernels; empty if it can.
std::string reason_against(const fv_attention_site& site) {
  if ((site.require & FV_REQUIRE_LOG_SUM_EXP) != 0) return "LibTorch's call gives no log-sum-exp";
  if ((site.require & FV_REQUIRE_CAPTURE) != 0) return "its runs cannot be captured in a CUDA graph";
  const fv_dtype type = site.dtype;
  if (!same_dtype(type, kFloat32) && !same_dtype(type, kFloat64) && !same_dtype(type, kFloat16) &&
      !same_dtype(type, kBFloat16)) {
    return "no attention in " + dtype_name(type) + "; float32, float64, float16 or bfloat16";
  }
  if (site.device.type != FV_DEVICE_CPU && site.device.type != FV_DEVICE_CUDA) return "it runs on cpu and cuda";
  // Called on a CUDA run only: on other runs LibTorch must not look for CUDA.
  if (site.device.type == FV_DEVICE_CUDA && !at::hasCUDA()) return "LibTorch finds no CUDA device";
  if (!can_be_counted(site, site.query_length) || !can_be_counted(site, site.key_length))
    return "the tensors of " + std::to_string(site.batch) + " rows of " + std::to_string(site.query_length) + " and " +
           std::to_string(site.key_length) + " tokens have more bytes than 64 bits can count";
  if (by_token(site) && site.query_length != site.key_length) {
    return "causal attention needs as many queries as keys, not " + std::to_string(site.query_length) + " and " +
           std::to_string(site.key_length);
  }
  const int64_t tokens = site.grid[0] * site.grid[1] * site.grid[2];
  if (by_frame(site) && (!in_grid(site) || site.query_length != tokens || site.key_length != tokens)) {
    return "frame-causal attention needs a grid that holds all queries and all keys";
  }
  return {};
}

class Plan final : public AttentionPlan {
 public:
  Plan(const fv_attention_site& site, Choice choice, Forced forced)
      : site_(site), choice_(std::move(choice)), forced_(forced) {
    // A causal mask is about positions, so the grid's tokens must come in raster order.
    if (in_grid(site) && (site.masks & (FV_MASK_CAUSAL | FV_MASK_FRAME_CAUSAL)) != 0) {
      raster_.resize(static_cast<size_t>(site.grid[0] * site.grid[1] * site.grid[2]));
      std::iota(raster_.begin(), raster_.end(), int64_t{0});
    }
  }

  void describe(fv_attention_plan_info& info) const override {
    info.numerics = FV_NUMERICS_REORDERED;
    info.kernel = kernel_name(*choice_.kernel);
    info.token_order = raster_.empty() ? nullptr : raster_.data();
    info.token_count = static_cast<int64_t>(raster_.size());
  }

  void run(const fv_attention_args& args) override {
    const at::Device device = to_device(args.q->device);
    const c10::InferenceMode no_gradients;
    std::optional<c10::DeviceGuard> device_guard;
    if (device.is_cuda()) device_guard.emplace(device);
    const StreamScope stream(device, args.stream);
    with_short_torch_errors([&] { attend(args); });
  }

 private:
  void attend(const fv_attention_args& args) const {
    const fv_attention_site& site = site_.get();
    const at::Tensor q = borrow(*args.q).transpose(1, 2);
    at::Tensor k = borrow(*args.k).transpose(1, 2);
    at::Tensor v = borrow(*args.v).transpose(1, 2);
    const at::Tensor out = borrow(*args.out).transpose(1, 2);
    if (out.numel() == 0) return;
    if (k.size(2) == 0) {  // the sum over no keys
      out.zero_();
      return;
    }
    if (by_token(site) && q.size(2) != k.size(2)) throw std::runtime_error("a causal call with unequal lengths");
    if (choice_.repeat_heads) {
      k = k.repeat_interleave(q.size(1) / k.size(1), 1);
      v = v.repeat_interleave(q.size(1) / v.size(1), 1);
    }
    // Causality alone is left to the kernel, which then skips half of the work.
    const bool alone = args.mask == nullptr && args.key_lengths == nullptr;
    const at::Tensor mask = merge_masks(args, by_token(site) && !alone, q.scalar_type());
    if (!by_frame(site)) {
      out.copy_(one_call(q, k, v, mask, by_token(site) && alone));
      return;
    }
    // A frame sees the keys up to its own last one: one call for each frame, and no masked score is computed.
    const int64_t frame = site.grid[1] * site.grid[2];
    for (int64_t begin = 0; begin < q.size(2); begin += frame) {
      const int64_t seen = begin + frame;
      at::Tensor part = mask;
      if (part.defined() && part.size(2) != 1) part = part.narrow(2, begin, frame);
      if (part.defined() && part.size(3) != 1) part = part.narrow(3, 0, seen);
      out.narrow(2, begin, frame)
          .copy_(one_call(q.narrow(2, begin, frame), k.narrow(2, 0, seen), v.narrow(2, 0, seen), part, false));
    }
  }

  // [B, H, Lq, D]
  at::Tensor one_call(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask,
                      bool causal) const {
    const KernelScope scope(forced_);
    const bool grouped = q.size(1) != k.size(1);
    at::Tensor out = at::scaled_dot_product_attention(q, k, v, mask.defined() ? std::optional(mask) : std::nullopt,
                                                      /*dropout_p=*/0.0, causal, site_.get().scale, grouped);
    // The CPU's kernels give zeros by themselves; CUDA's give NaN or a mean of all values.
    if (mask.defined() && !q.is_cpu()) clear_blind_rows(out, mask);
    return out;
  }

  AttentionSiteCopy site_;
  Choice choice_;
  Forced forced_;
  std::vector<int64_t> raster_;
};

class TorchSdpa final : public AttentionBackend {
 public:
  TorchSdpa(const Host& host, const Options& options)
      : option_(options.string("kernel")), forced_(parse_kernel(option_)) {
    const auto* parallel = host.service<fv_parallel_service>(FV_PARALLEL_SERVICE);
    if (parallel != nullptr) at::set_num_threads(parallel->threads(parallel->context));
  }

  Support supports(const fv_attention_site& site) const override {
    if (const std::string reason = reason_against(site); !reason.empty()) return Support::no(reason);
    const Choice choice = choose_kernel(problem_of(site), forced_);
    if (!choice.kernel) return Support::no("LibTorch cannot use its " + option_ + " kernel: " + choice.reason);
    return Support::yes(FV_NUMERICS_REORDERED, estimate(site, *choice.kernel),
                        std::string(kernel_name(*choice.kernel)) + (forced_ ? ", forced" : ", chosen by LibTorch"));
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    if (const Support support = supports(site); !support.supported) throw Refused(support.reason);
    return std::make_unique<Plan>(site, choose_kernel(problem_of(site), forced_), forced_);
  }

 private:
  std::string option_;
  Forced forced_;
};

const void* get_interface(const char* id) {
  if (std::string_view(id) == FV_MATRIX_PRODUCT_INTERFACE) return matrix_product();
  return detail::AttentionTable<TorchSdpa>::get_interface(id);
}

}  // namespace
}  // namespace fastvideo::torch_sdpa

FASTVIDEO_PLUGIN(fastvideo::detail::item("attention", "TORCH_SDPA", "torch", fastvideo::torch_sdpa::get_interface))
