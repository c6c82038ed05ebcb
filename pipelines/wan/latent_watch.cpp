#include "pipelines/wan/latent_watch.hpp"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cmath>
#include <memory>
#include <stdexcept>

namespace fastvideo::wan {
namespace {

// NaN and infinities show in the extremes; LibTorch's minimum and maximum hand NaN on.
std::string defect(double lowest, double highest) {
  if (std::isnan(lowest) || std::isnan(highest)) return "NaN";
  if (std::isinf(lowest) || std::isinf(highest)) return "infinity";
  return lowest == highest ? "one value everywhere" : "";
}

at::Tensor range_of(const at::Tensor& x) { return at::stack({x.min(), x.max()}).to(at::kFloat); }

bool finite(const at::Tensor& x) { return at::isfinite(x).all().item<bool>(); }

}  // namespace

std::string defect_of(const at::Tensor& latents) {
  const at::Tensor range = range_of(latents).cpu();
  return defect(range[0].item<double>(), range[1].item<double>());
}

std::optional<LatentWatch::BadStep> LatentWatch::note(int32_t step, const at::Tensor& input, const at::Tensor& output) {
  std::optional<BadStep> bad = verdict();
  Pending next{{step, input, output}, range_of(output), [] {}};
  if (!output.is_cpu()) {
    const at::Tensor landed = at::empty({2}, at::TensorOptions().dtype(at::kFloat).pinned_memory(true));
    landed.copy_(next.range, /*non_blocking=*/true);
    const auto copied = std::make_shared<c10::Event>(output.device().type());
    copied->record(c10::impl::VirtualGuardImpl(output.device().type()).getStream(output.device()));
    next.range = landed;
    next.wait = [copied] { copied->synchronize(); };
  }
  pending_ = std::move(next);
  return bad || !output.is_cpu() ? bad : verdict();
}

std::optional<LatentWatch::BadStep> LatentWatch::finish() { return verdict(); }

std::optional<LatentWatch::BadStep> LatentWatch::verdict() {
  if (!pending_) return std::nullopt;
  Pending pending = std::move(*pending_);
  pending_.reset();
  pending.wait();
  const float* range = pending.range.const_data_ptr<float>();
  if (defect(range[0], range[1]).empty()) return std::nullopt;
  return pending.step;
}

at::Tensor CheckedAttention::run(const AttentionCall& call) {
  const auto where = [&] { return std::string(call.role) + " of layer " + std::to_string(call.layer); };
  for (const auto& [name, x] : {std::pair{"queries", call.q}, {"keys", call.k}, {"values", call.v}})
    if (!finite(x))
      throw std::runtime_error("the " + std::string(name) + " that " + where() +
                               " gets hold NaN or infinity already: the weights or what runs before it are at fault");
  at::Tensor out = attention_.run(call);
  if (!finite(out))
    throw std::runtime_error(where() + ", served by " + attention_.backend(call.role) +
                             ", gives NaN or infinity for finite inputs; choose another backend for this role with "
                             "--attention-backend " +
                             call.role + "=NAME");
  return out;
}

}  // namespace fastvideo::wan
