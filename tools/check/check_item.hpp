// The checks of one item, in this process, which may crash or hang.
#pragma once

#include <filesystem>

#include "host/config/settings.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host::conformance {

/// Opens item number `item` of the plugin in `folder`, runs all checks of the item's kind and reports them on
/// `descriptor` (see Reporter), in lines of text if `for_people`. `settings`: of the host; the item gets the defaults
/// of its options. Returns how many checks failed. Throws RequestError if the plugin has no such item.
size_t check_item(const std::filesystem::path& folder, size_t item, const Settings& settings, const HostServices& host,
                  int descriptor, bool for_people);

}  // namespace fastvideo::host::conformance
