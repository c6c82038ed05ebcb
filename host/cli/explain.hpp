// `fastvideo explain`: what a run would do, without doing it.
#pragma once

#include <string>

#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {

/// Prepares the run that the settings ask for, plans its attention, and tells for each role what would run, from which
/// file and why, where each setting came from and what it overrides; sizes that are corrected; weights and peak memory
/// against what is available. Throws like generate. [one thread: the loader's]
std::string explain(const Settings& settings, const Catalog& catalog, const HostServices& host);

}  // namespace fastvideo::host
