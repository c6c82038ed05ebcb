#include <fastvideo/plugin.hpp>

#include "plugins/cache/taylorseer/policy.hpp"

FASTVIDEO_PLUGIN("org.fastvideo.taylorseer", "0.1.0",
                 fastvideo::cache<fastvideo::taylorseer::TaylorSeer>("taylorseer", "policy"))
