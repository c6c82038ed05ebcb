// What an item is created with: its options, completed and checked, and its data files.
#pragma once

#include <span>
#include <stdexcept>
#include <string>

#include "host/config/settings.hpp"
#include "host/plugins/installed_file.hpp"
#include "host/plugins/manifest.hpp"
#include "host/selection/border.hpp"

namespace fastvideo::host {

/// The item's options in the order of its manifest, then the installed files that were found for options left out, then
/// its data files. Throws RequestError.
inline Value::Table item_values(const Settings& settings, const Item& item) {
  Value::Table values = to_table(settings.of_item(item.settings_prefix(), item.options));
  fill_in_installed(item, settings, values);
  for (Entry& data : read_data(item, values)) values.push_back(std::move(data));
  return values;
}

/// Creates an item's object through the `create` of its table. `what` it is: "backend". Throws RequestError or
/// std::runtime_error, which begins with the item's name.
template <class Object, class Table>
Object* created(const Table& table, const fv_services* host, const Value::Table& values, const std::string& item,
                const char* what) {
  AbiValues memory;
  const std::span<const fv_entry> options = memory.add(values);
  Object* made = nullptr;
  call_or_throw(call_name("create", item), item, [&](fv_text* error) {
    return table.create(host, options.data(), static_cast<uint32_t>(options.size()), &made, error);
  });
  if (made == nullptr) throw std::runtime_error(item + ": create gave no " + what + " and no error");
  return made;
}

}  // namespace fastvideo::host
