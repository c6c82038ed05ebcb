#include <fastvideo/plugin.hpp>

#include "plugins/cache/taylorseer/policy.hpp"

FASTVIDEO_PLUGIN(fastvideo::cache<fastvideo::taylorseer::TaylorSeer>("taylorseer", "policy"))
