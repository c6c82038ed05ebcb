#include <fastvideo/plugin.hpp>

#include "plugins/cache/first_block/policy.hpp"

FASTVIDEO_PLUGIN("org.fastvideo.first_block", "0.1.0",
                 fastvideo::cache<fastvideo::first_block::FirstBlockCache>("first_block", "policy"))
