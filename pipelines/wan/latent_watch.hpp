// Notices latents that went bad within a step, and finds out where, instead of a black video at the end.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "pipelines/common/attention/host_attention.hpp"

namespace fastvideo::wan {

/// Why latents are of no use: "NaN", "infinity" or "one value everywhere"; empty if nothing is wrong. Waits for the
/// device.
std::string defect_of(const at::Tensor& latents);

/// Watches the latents of a loop. On a GPU each step's verdict is read while the next step runs: nothing waits for it.
class LatentWatch {
 public:
  /// A step that went bad.
  struct BadStep {
    int32_t step;
    at::Tensor input;   ///< latents before it
    at::Tensor output;  ///< and after it
  };

  /// The latents before and after a step, float32; kept, not copied. What is found wrong with the step before, if
  /// anything; on the CPU with this one.
  std::optional<BadStep> note(int32_t step, const at::Tensor& input, const at::Tensor& output);

  /// After the loop: the verdict that is still out.
  std::optional<BadStep> finish();

 private:
  struct Pending {
    BadStep step;
    at::Tensor range;  // [2], minimum and maximum, on its way to the CPU
    std::function<void()> wait;
  };
  std::optional<BadStep> verdict();

  std::optional<Pending> pending_;
};

/// Attention that checks what it gets and gives. Slow: for running a bad step again.
class CheckedAttention final : public Attention {
 public:
  explicit CheckedAttention(HostAttention& attention) : attention_(attention) {}

  /// Throws std::runtime_error naming role, layer and backend where NaN or infinity first stands.
  at::Tensor run(const AttentionCall& call) override;

 private:
  HostAttention& attention_;
};

}  // namespace fastvideo::wan
