// Detects bad latents within a step and locates their origin, instead of a black video at the end.
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

/// Watches the latents of a loop. A step's smallest and largest value are copied while later steps run and examined
/// when they have arrived: the loop never waits for them. A GPU takes a step or two of work in advance, so few copies
/// are in flight at a time.
class LatentWatch {
 public:
  /// A step that gave bad latents.
  struct BadStep {
    int32_t step;
    at::Tensor input;   ///< latents before the step
    at::Tensor output;  ///< latents after the step
  };

  explicit LatentWatch(StartReadback start = start_readback);

  /// Takes the latents before and after a step, float32; kept, not copied. Returns the first bad step among those whose
  /// numbers have arrived: on the CPU this step, on a GPU an earlier one. Never waits.
  std::optional<BadStep> note(int32_t step, const at::Tensor& input, const at::Tensor& output);

  /// After the loop: waits, once, for the numbers that are still on their way.
  std::optional<BadStep> finish();

 private:
  struct Pending {
    BadStep step;
    std::unique_ptr<Readback> range;  // [2], minimum and maximum
  };
  std::optional<BadStep> verdict();  // from the numbers that have arrived

  StartReadback start_;
  std::deque<Pending> pending_;
};

/// Attention that records a number for each call, finite if the whole output is. Nothing waits for the number.
class WatchedAttention final : public Attention {
 public:
  explicit WatchedAttention(HostAttention& attention) : attention_(attention) {}

  at::Tensor run(const AttentionCall& call) override;

  /// Later calls belong to this step; the numbers of the last eight steps are kept.
  void begin(int32_t step);
  /// Adds another tensor of the step to the record, after the calls so far.
  void note(const char* what, const at::Tensor& value);

  /// The first tensor of a step that was not finite.
  struct Place {
    std::string text;     ///< "dit.self of layer 3, served by FLASH_ATTN/fa2", or the noted tensor's name
    std::string role;     ///< of the attention site; empty for a noted tensor
    std::string backend;  ///< that serves the site
  };
  /// Nothing if everything was finite. Waits for the device.
  std::optional<Place> first_bad(int32_t step) const;
  /// The backends that were called in a step: "FLASH_ATTN/cpu at dit.self, TORCH_SDPA/torch at dit.cross".
  std::string backends(int32_t step) const;

 private:
  struct Call {
    std::string what;  // a site, or a noted tensor
    std::string role;  // of the site
    int64_t layer;     // -1: a noted tensor
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

/// Attention that checks its inputs and outputs. Slow: for running a bad step again.
class CheckedAttention final : public Attention {
 public:
  explicit CheckedAttention(HostAttention& attention) : attention_(attention) {}

  /// Throws std::runtime_error naming the role, layer and backend of the first NaN or infinity.
  at::Tensor run(const AttentionCall& call) override;

 private:
  HostAttention& attention_;
};

}  // namespace fastvideo
