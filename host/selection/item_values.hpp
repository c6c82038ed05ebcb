// What an item is created with: its options, completed and checked, and its data files.
#pragma once

#include "host/config/settings.hpp"
#include "host/plugins/installed_file.hpp"
#include "host/plugins/manifest.hpp"

namespace fastvideo::host {

/// The item's options in the order of its manifest, then the installed files that were found for options left out, then
/// its data files. Throws RequestError.
inline Value::Table item_values(const Settings& settings, const Item& item) {
  Value::Table values = to_table(settings.of_item(item.settings_prefix(), item.options));
  fill_in_installed(item, settings, values);
  for (Entry& data : read_data(item, values)) values.push_back(std::move(data));
  return values;
}

}  // namespace fastvideo::host
