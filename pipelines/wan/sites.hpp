// The attention sites of a run and how often each is called, from the configurations alone.
#pragma once

#include <vector>

#include "pipelines/common/attention/planned_site.hpp"
#include "pipelines/common/residency/residency.hpp"
#include "pipelines/wan/folder/wan_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// The sites of `request`, whose text encoder reads `texts` texts: text.self, dit.self, dit.cross, vae.mid.
std::vector<PlannedSite> plan_sites(const Request& request, int64_t texts, const Residency& residency,
                                    const LatentShape& shape, const WanFolder& folder);

}  // namespace fastvideo::wan
