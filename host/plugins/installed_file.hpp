// Files of Python packages that users install beside LibTorch: looked for where Python would.
#pragma once

#include <string>

#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// Why the item cannot be used as installed, its own library or a library or file that it needs, as a message that says
/// what is missing, where it was looked for and how to install it; empty if nothing is missing. A file that the
/// settings name is the plugin's to judge.
std::string what_is_missing(const CatalogItem& item, const Settings& settings,
                            const Environment& environment = process_environment);

/// Gives the options in `values` that name installed files, and that the user left out, what was found.
void fill_in_installed(const Item& item, const Settings& settings, Value::Table& values,
                       const Environment& environment = process_environment);

}  // namespace fastvideo::host
