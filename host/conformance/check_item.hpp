// The checks of one item, in this process: it may crash or hang.
#pragma once

#include <filesystem>

#include "host/config/settings.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::conformance {

/// Opens item number `item` of the plugin in `folder`, runs all checks that its kind has and tells of them on
/// `descriptor` (see Reporter). `settings`: of the host; the item gets its own defaults.
void check_item(const std::filesystem::path& folder, size_t item, const Settings& settings, const HostServices& host,
                int descriptor);

}  // namespace fastvideo::conformance
