#include <fastvideo/plugin.hpp>

#include "plugins/cache/guidance_gate/policy.hpp"

FASTVIDEO_PLUGIN(fastvideo::cache<fastvideo::guidance_gate::GuidanceGate>("guidance_gate", "policy"))
