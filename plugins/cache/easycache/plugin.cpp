#include <fastvideo/plugin.hpp>

#include "plugins/cache/easycache/policy.hpp"

FASTVIDEO_PLUGIN("org.fastvideo.easycache", "0.1.0",
                 fastvideo::cache<fastvideo::easycache::EasyCache>("easycache", "policy"))
