#include <fastvideo/plugin.hpp>

#include "plugins/cache/easycache/policy.hpp"

FASTVIDEO_PLUGIN(fastvideo::cache<fastvideo::easycache::EasyCache>("easycache", "policy"))
