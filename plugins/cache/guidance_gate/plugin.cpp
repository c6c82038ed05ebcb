#include <fastvideo/plugin.hpp>

#include "plugins/cache/guidance_gate/policy.hpp"

FASTVIDEO_PLUGIN("org.fastvideo.guidance_gate", "0.1.0",
                 fastvideo::cache<fastvideo::guidance_gate::GuidanceGate>("guidance_gate", "policy"))
