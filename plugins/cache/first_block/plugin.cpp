#include <fastvideo/plugin.hpp>

#include "plugins/cache/first_block/policy.hpp"

FASTVIDEO_PLUGIN(fastvideo::cache<fastvideo::first_block::FirstBlockCache>("first_block", "policy"))
