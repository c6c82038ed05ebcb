// How much memory a run takes, from the configurations alone.
#pragma once

#include <cstdint>
#include <vector>

#include "pipelines/common/residency/residency.hpp"
#include "pipelines/common/residency/run_plan.hpp"
#include "pipelines/wan/folder/wan_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// Weights as the run holds them, by component.
std::vector<Bytes> component_bytes(const WanFolder& folder, const Residency& residency);

/// Peak of each stage, including the weights that the residency then keeps and the encoded texts, but not the memory of
/// attention backends and caching strategies. If more runs follow, the peak over all runs.
std::vector<Bytes> stage_peaks(const WanFolder& folder, const Request& request, const Residency& residency,
                               const LatentShape& shape, const Texts& texts);

/// The sizes of the tensors that caching may keep of the loop.
LoopBytes loop_bytes(const WanTransformerConfig& dit, const Residency& residency, const LatentShape& shape);

}  // namespace fastvideo::wan
