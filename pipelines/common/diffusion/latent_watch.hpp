// Notices latents that went bad within a step, and finds out where, instead of a black video at the end.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/common/readback/readback.hpp"

namespace fastvideo {

/// Why latents are of no use: "NaN", "infinity" or "one value everywhere"; empty if nothing is wrong. Waits for the
/// device.
std::string defect_of(const at::Tensor& latents);

/// The smallest and the largest of a tensor's numbers, float32 [2] on its device; NaN if one is NaN.
at::Tensor range_of(const at::Tensor& x);

/// The same verdict from a range that has arrived.
std::string defect_of_range(std::span<const float> range);

/// Watches the latents of a loop. A step's smallest and largest value are copied while later steps run, and looked at
/// when they have arrived: nothing waits for them. A GPU takes a step or two of work in advance, so few are on their
/// way at a time.
class LatentWatch {
 public:
  /// A step that went bad.
  struct BadStep {
    int32_t step;
    at::Tensor input;   ///< latents before it
    at::Tensor output;  ///< and after it
  };

  explicit LatentWatch(StartReadback start = start_readback);

  /// The latents before and after a step, float32; kept, not copied. The first bad step among those whose numbers have
  /// arrived: on the CPU this one, on a GPU one before it. Never waits.
  std::optional<BadStep> note(int32_t step, const at::Tensor& input, const at::Tensor& output);

  /// After the loop: waits, once, for the numbers that are still on their way.
  std::optional<BadStep> finish();

 private:
  struct Pending {
    BadStep step;
    std::unique_ptr<Readback> range;  // [2], minimum and maximum
  };
  std::optional<BadStep> verdict();  // on the numbers that are here

  StartReadback start_;
  std::deque<Pending> pending_;
};

/// Attention that keeps of each call a number which is finite if the whole output is. Nothing waits for it.
class WatchedAttention final : public Attention {
 public:
  explicit WatchedAttention(HostAttention& attention) : attention_(attention) {}

  at::Tensor run(const AttentionCall& call) override;

  /// The calls from here on belong to this step; of the last eight steps the numbers are kept.
  void begin(int32_t step);
  /// What else the step made, after the calls so far.
  void note(const char* what, const at::Tensor& value);

  /// What in a step was the first that was not finite.
  struct Place {
    std::string text;     ///< "dit.self of layer 3, served by FLASH_ATTN/fa2", or what was noted
    std::string role;     ///< of the attention site; empty for what was noted
    std::string backend;  ///< that serves it
  };
  /// Nothing if everything was finite. Waits for the device.
  std::optional<Place> first_bad(int32_t step) const;
  /// "FLASH_ATTN/cpu at dit.self, TORCH_SDPA/torch at dit.cross": who was called in a step.
  std::string backends(int32_t step) const;

 private:
  struct Call {
    std::string what;  // a site, or what was noted
    std::string role;  // of the site
    int64_t layer;     // -1: no call of attention
    at::Tensor sum;    // one number
  };
  struct Step {
    int32_t number;
    std::vector<Call> calls;
  };
  const Step* find(int32_t step) const;

  HostAttention& attention_;
  std::deque<Step> steps_;
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

}  // namespace fastvideo
