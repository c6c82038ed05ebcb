// The attention seam of a real run: the host's attention service, which has picked a backend for every site.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <fastvideo/attention.hpp>
#include <fastvideo/core.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/common/attention/planned_site.hpp"

namespace fastvideo {

/// The point of the denoising loop at which the next calls are made.
struct DenoisePoint {
  int32_t step = -1;  ///< -1 outside the loop
  int32_t steps = 0;
  double sigma = 0;
  int32_t expert = 0;
  std::vector<int32_t> branches;  ///< the branch the branch of each batch row; empty: all conditional
};

/// Binds the sites of a run to backends and runs calls on them. The memory that plans need comes from LibTorch's
/// allocator. One thread.
class HostAttention final : public Attention {
 public:
  /// sites: those of the run, each name once. Throws Refused, with the table of candidates, if a site cannot be served.
  HostAttention(const Host& run, std::vector<PlannedSite> sites, at::Device device);
  ~HostAttention() override;
  HostAttention(const HostAttention&) = delete;
  HostAttention& operator=(const HostAttention&) = delete;

  /// Also throws std::logic_error for a site that was not planned, and inside the loop if the number of rows differs
  /// from the number of the point's branches.
  at::Tensor run(const AttentionCall& call) override;

  /// The order in which the plans want the grid's tokens: int64 [tokens] on the device, position -> raster index;
  /// undefined for raster order.
  const at::Tensor& token_order() const { return token_order_; }

  /// The backend of the site with that name: "TORCH_SDPA/torch".
  std::string backend(std::string_view site) const { return binding_of(site).handle->backend; }

  /// Frees the plans' scratch memory, which has grown to the largest call of the stage. Call it at the end of a stage.
  void release_scratch() { scratch_ = at::Tensor(); }

  void set_point(DenoisePoint point) { point_ = std::move(point); }

 private:
  struct Binding {
    PlannedSite planned;
    const fv_attention_binding* handle;
    at::Tensor resident;
  };
  const Binding& binding_of(std::string_view site) const;
  const int32_t* branches_of(const AttentionCall& call) const;

  const fv_attention_service* service_;
  fv_attention_session* session_ = nullptr;
  at::Device device_;
  std::vector<Binding> bindings_;
  at::Tensor scratch_;  // of the largest call so far; shared by all plans
  at::Tensor token_order_;
  DenoisePoint point_;
};

/// Lends LibTorch's CPU threads to the process, as many as the host says, so that the process has one pool.
void lend_torch_threads(const Host& host);

}  // namespace fastvideo
