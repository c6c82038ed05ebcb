// `fastvideo plugins`: what is installed, and whether it can run here.
#pragma once

#include <string>
#include <vector>

#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// Every item by kind, with its plugin and the devices that it is for, out of the manifests alone: CUDA is not asked.
/// Then packages that items lack, folders that were refused, and where was searched.
std::string list_plugins(const Catalog& catalog, const std::vector<SearchFolder>& searched, const Settings& settings);
/// The same for the devices that this machine has (cuInit, tens of milliseconds): where items can run, or why not.
std::string list_plugins_here(const Catalog& catalog, const std::vector<SearchFolder>& searched,
                              const Settings& settings);

/// All that the manifests say of the items that `name` means: a public name, NAME/implementation or a plugin's id,
/// letter case ignored. Throws RequestError, with the nearest name, if there is none.
std::string show_plugin(const Catalog& catalog, const std::string& name, const Settings& settings);

/// Warns of folders that are not there or hold no plugin, and of what manifests say that means nothing here.
void warn_of_folders(const Catalog& catalog);
/// Warns of all that the catalog has found wrong with plugins.
void warn_of(const Catalog& catalog);
/// Warns of items that the settings disable: for where something of theirs is missed.
void warn_of_disabled(const Catalog& catalog);

}  // namespace fastvideo::host
