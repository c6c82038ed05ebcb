#include "pipelines/common/diffusion/latent_watch.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

namespace fastvideo {
namespace {

// NaN and infinities show in the extremes; LibTorch's minimum and maximum hand NaN on.
std::string defect(double lowest, double highest) {
  if (std::isnan(lowest) || std::isnan(highest)) return "NaN";
  if (std::isinf(lowest) || std::isinf(highest)) return "infinity";
  return lowest == highest ? "one value everywhere" : "";
}

bool finite(const at::Tensor& x) { return at::isfinite(x).all().item<bool>(); }

}  // namespace

at::Tensor range_of(const at::Tensor& x) { return at::stack({x.min(), x.max()}).to(at::kFloat); }

std::string defect_of_range(std::span<const float> range) { return defect(range[0], range[1]); }

std::string defect_of(const at::Tensor& latents) {
  const at::Tensor range = range_of(latents).cpu();
  return defect(range[0].item<double>(), range[1].item<double>());
}

LatentWatch::LatentWatch(StartReadback start) : start_(std::move(start)) {}

std::optional<LatentWatch::BadStep> LatentWatch::note(int32_t step, const at::Tensor& input, const at::Tensor& output) {
  pending_.push_back({{step, input, output}, start_(range_of(output))});
  return verdict();
}

std::optional<LatentWatch::BadStep> LatentWatch::finish() {
  if (!pending_.empty()) pending_.back().range->values();  // one wait: earlier readbacks have arrived by then
  return verdict();
}

std::optional<LatentWatch::BadStep> LatentWatch::verdict() {
  while (!pending_.empty() && pending_.front().range->is_here()) {
    const Pending pending = std::move(pending_.front());
    pending_.pop_front();
    const std::span<const float> range = pending.range->values();
    if (!defect(range[0], range[1]).empty()) return pending.step;
  }
  return std::nullopt;
}

at::Tensor WatchedAttention::run(const AttentionCall& call) {
  at::Tensor out = attention_.run(call);
  if (!steps_.empty()) steps_.back().calls.push_back({call.site.name, call.site.role, call.layer, out.sum(at::kFloat)});
  return out;
}

void WatchedAttention::begin(int32_t step) {
  constexpr size_t kKept = 8;  // a GPU is a step or two behind
  if (steps_.size() == kKept) steps_.pop_front();
  steps_.push_back({step, {}});
}

void WatchedAttention::note(const char* what, const at::Tensor& value) {
  if (!steps_.empty()) steps_.back().calls.push_back({what, "", -1, value.sum(at::kFloat)});
}

const WatchedAttention::Step* WatchedAttention::find(int32_t step) const {
  for (const Step& one : steps_)
    if (one.number == step) return &one;
  return nullptr;
}

std::optional<WatchedAttention::Place> WatchedAttention::first_bad(int32_t step) const {
  const Step* found = find(step);
  if (found == nullptr || found->calls.empty()) return std::nullopt;
  std::vector<at::Tensor> sums;
  for (const Call& call : found->calls) sums.push_back(call.sum);
  const at::Tensor good = at::isfinite(at::stack(sums)).cpu();
  for (size_t i = 0; i < sums.size(); ++i) {
    if (good[static_cast<int64_t>(i)].item<bool>()) continue;
    const Call& call = found->calls[i];
    if (call.layer < 0) return Place{call.what, "", ""};
    const std::string backend = attention_.backend(call.what);
    return Place{call.what + " of layer " + std::to_string(call.layer) + ", served by " + backend, call.role, backend};
  }
  return std::nullopt;
}

std::string WatchedAttention::backends(int32_t step) const {
  const Step* found = find(step);
  std::set<std::string> names;
  if (found != nullptr)
    for (const Call& call : found->calls)
      if (call.layer >= 0) names.insert(attention_.backend(call.what) + " at " + call.what);
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

at::Tensor CheckedAttention::run(const AttentionCall& call) {
  const auto where = [&] { return call.site.name + " of layer " + std::to_string(call.layer); };
  for (const auto& [name, x] : {std::pair{"queries", call.q}, {"keys", call.k}, {"values", call.v}})
    if (!finite(x))
      throw std::runtime_error("the " + std::string(name) + " that " + where() +
                               " gets hold NaN or infinity already: the weights or what runs before it are at fault");
  at::Tensor out = attention_.run(call);
  if (!finite(out))
    throw std::runtime_error(where() + ", served by " + attention_.backend(call.site.name) +
                             ", gives NaN or infinity for finite inputs; choose another backend for this role with "
                             "--attention-backend " +
                             call.site.role + "=NAME");
  return out;
}

}  // namespace fastvideo
