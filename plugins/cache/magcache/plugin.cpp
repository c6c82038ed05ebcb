#include <fastvideo/plugin.hpp>

#include "plugins/cache/magcache/policy.hpp"

FASTVIDEO_PLUGIN("org.fastvideo.magcache", "0.1.0",
                 fastvideo::cache<fastvideo::magcache::MagCache>("magcache", "policy"))
