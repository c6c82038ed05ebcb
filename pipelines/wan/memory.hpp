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

/// Peak of each stage, the weights then in memory included, as the residency keeps them, and the encoded texts; what
/// attention backends and caching strategies keep is not. Where more runs follow, it is the peak of all of them.
std::vector<Bytes> stage_peaks(const WanFolder& folder, const Request& request, const Residency& residency,
                               const LatentShape& shape, const Texts& texts);

/// What caching may keep of the loop.
LoopBytes loop_bytes(const WanTransformerConfig& dit, const Residency& residency, const LatentShape& shape);

}  // namespace fastvideo::wan
