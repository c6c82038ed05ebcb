// The attention sites of a run and how often each is called, from the configurations alone.
#pragma once

#include <vector>

#include "pipelines/common/attention/planned_site.hpp"
#include "pipelines/wan/folder/wan_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// The sites of `request`: text.self, dit.self, dit.cross, vae.mid.
std::vector<PlannedSite> plan_sites(const Request& request, const Shape& shape, const UMT5Config& text_encoder,
                                    const WanTransformerConfig& transformer, const AutoencoderKLWanConfig& vae);

}  // namespace fastvideo::wan
