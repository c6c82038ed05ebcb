#include <fastvideo/plugin.hpp>

#include "plugins/cache/teacache/calibration.hpp"
#include "plugins/cache/teacache/policy.hpp"

FASTVIDEO_PLUGIN(fastvideo::calibrated_cache<fastvideo::teacache::TeaCache, fastvideo::teacache::TeaCacheCalibration>(
    "teacache", "policy"))
