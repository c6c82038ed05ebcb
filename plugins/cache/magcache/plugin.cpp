#include <fastvideo/plugin.hpp>

#include "plugins/cache/magcache/calibration.hpp"
#include "plugins/cache/magcache/policy.hpp"

FASTVIDEO_PLUGIN(fastvideo::calibrated_cache<fastvideo::magcache::MagCache, fastvideo::magcache::MagCacheCalibration>(
    "magcache", "policy"))
