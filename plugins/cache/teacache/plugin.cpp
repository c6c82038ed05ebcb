#include <fastvideo/plugin.hpp>

#include "plugins/cache/teacache/calibration.hpp"
#include "plugins/cache/teacache/policy.hpp"

FASTVIDEO_PLUGIN("org.fastvideo.teacache", "0.1.0",
                 fastvideo::calibrated_cache<fastvideo::teacache::TeaCache, fastvideo::teacache::TeaCacheCalibration>(
                     "teacache", "policy"))
