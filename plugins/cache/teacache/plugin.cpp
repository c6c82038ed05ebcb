#include <fastvideo/plugin.hpp>

#include "plugins/cache/teacache/policy.hpp"

FASTVIDEO_PLUGIN("org.fastvideo.teacache", "0.1.0",
                 fastvideo::cache<fastvideo::teacache::TeaCache>("teacache", "policy"))
