#include "host/cli/plugin_list.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "host/console/text_table.hpp"
#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/error/printable.hpp"
#include "host/hardware/hardware.hpp"
#include "host/log/log.hpp"
#include "host/plugins/installed_file.hpp"
#include "host/plugins/limits.hpp"

namespace fastvideo::host {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::vector<std::string> architecture_names(const std::vector<Architecture>& architectures) {
  std::vector<std::string> names;
  names.reserve(architectures.size());
  for (const Architecture& one : architectures) names.push_back(one.describe());
  return names;
}

std::vector<DeviceFacts> devices_here() {
  std::vector<DeviceFacts> devices{{{FV_DEVICE_CPU, 0}, 0}};
  for (const CudaDevice& device : cuda_driver().devices)
    devices.push_back({{FV_DEVICE_CUDA, device.index}, device.architecture()});
  return devices;
}

// "on cpu, cuda:0 by its manifest", or why it runs nowhere here. Its own code, which is not opened, may ask for more.
std::string state_of(const CatalogItem& item, const std::vector<DeviceFacts>& devices) {
  if (item.state != ItemState::offered) return "not offered: " + item.reason;
  std::string here, why_not;
  for (const DeviceFacts& device : devices) {
    const auto reason = rule_out(item.item->limits, device);
    if (!reason)
      here += (here.empty() ? "" : ", ") + device_name(device.device);
    else if (why_not.empty())
      why_not = *reason;
  }
  return here.empty() ? "not here: " + why_not : "on " + here + " by its manifest";
}

// "for cpu, cuda sm90+": what the manifest says.
std::string wanted_by(const CatalogItem& item) {
  if (item.state != ItemState::offered) return "not offered: " + item.reason;
  const ItemLimits& limits = item.item->limits;
  std::string text = "for ";
  for (const std::string& device : limits.devices.value_or(std::vector<std::string>{"cpu", "cuda"})) {
    text += (text.size() > 4 ? ", " : "") + device;
    if (device != "cuda" || !limits.architectures) continue;
    for (const std::string& name : architecture_names(*limits.architectures)) text += " " + name;
  }
  return text;
}

void add_limits(const ItemLimits& limits, Rows& rows) {
  if (limits.devices) rows.push_back({"devices", comma_list(*limits.devices)});
  if (limits.architectures) rows.push_back({"architectures", comma_list(architecture_names(*limits.architectures))});
  if (limits.dtypes) rows.push_back({"types", comma_list(*limits.dtypes)});
  if (limits.head_sizes) rows.push_back({"head sizes", limits.head_sizes->describe()});
  if (limits.masks) rows.push_back({"masks", mask_names(*limits.masks)});
  if (limits.roles) rows.push_back({"roles", comma_list(*limits.roles)});
}

std::string show_item(const CatalogItem& listed, const std::vector<DeviceFacts>& devices, const Settings& settings) {
  const Item& item = *listed.item;
  const Manifest& manifest = listed.plugin->manifest;
  Rows rows{{"plugin",
             manifest.id + " " + manifest.version + " (ABI " + manifest.abi + "), found by " + listed.plugin->origin},
            {"manifest", manifest.file.string() + ":" + std::to_string(item.line)},
            {"state", state_of(listed, devices) + (listed.state == ItemState::offered ? "; not opened" : "")}};
  if (const std::string missing = what_is_missing(listed, settings); !missing.empty())
    rows.push_back({"lacks", missing});
  if (item.known_kind()) {
    rows.push_back({"file", item.library.string()});
    if (!item.needs.torch.empty()) rows.push_back({"needs", "LibTorch " + item.needs.torch});
    if (!item.needs.libraries.empty()) rows.push_back({"needs", comma_list(item.needs.libraries)});
    for (const InstalledFile& one : item.installed) rows.push_back({"needs", one.what + ": " + one.python});
    add_limits(item.limits, rows);
    if (item.kind == "attention") {
      rows.push_back({"claims", comma_list(item.claims)});
      rows.push_back({"numerics", numerics_name(item.numerics) + " at worst"});
    }
    if (item.kind == "pipeline") rows.push_back({"models", comma_list(item.model_classes)});
  }
  std::string text = printable(item.kind + " " + item.full_name() + ": " + item.summary) + "\n" + text_table(rows);
  Rows options;
  for (const OptionSpec& option : item.options) {
    std::string notes = option.allowed();
    if (!option.default_value.empty()) notes += "; default: " + option.default_value.to_toml();
    if (!option.flag.empty()) notes += "; " + option.flag;
    if (!option.variable.empty()) notes += "; " + option.variable;
    options.push_back({"", item.settings_prefix() + "." + option.name, option.help + " (" + notes + ")"});
  }
  if (!options.empty()) text += "  options\n" + text_table(options);
  return text;
}

// `state`: what stands in the third column.
template <class State>
std::string list(const Catalog& catalog, const std::vector<SearchFolder>& searched, const Settings& settings,
                 const State& state) {
  std::vector<std::string> kinds{"attention", "cache", "pipeline"};
  std::unordered_map<std::string, std::vector<const CatalogItem*>> of_kind;
  for (const std::string& kind : kinds) of_kind[kind];
  for (const CatalogItem& item : catalog.items()) {
    const auto [place, is_new] = of_kind.try_emplace(item.item->kind);
    if (is_new) kinds.push_back(item.item->kind);
    place->second.push_back(&item);
  }

  std::string text;
  Rows lacking;
  for (const std::string& kind : kinds) {
    Rows rows;
    for (const CatalogItem* item : of_kind[kind]) {
      const Manifest& manifest = item->plugin->manifest;
      const std::string missing = what_is_missing(*item, settings);
      rows.push_back({item->item->full_name(), manifest.id + " " + manifest.version,
                      state(*item) + (missing.empty() ? "" : "; incomplete"), item->item->summary});
      if (!missing.empty()) lacking.push_back({item->item->full_name(), missing});
    }
    text += shortened(kind) + "\n" + (rows.empty() ? "  none\n" : text_table(rows));
  }
  if (!lacking.empty()) text += "incomplete\n" + text_table(lacking);
  Rows refused;
  for (const RefusedFolder& folder : catalog.refused()) refused.push_back({folder.folder.string(), folder.reason});
  if (!refused.empty()) text += "refused\n" + text_table(refused);
  Rows folders;
  for (const SearchFolder& folder : searched) folders.push_back({folder.path.string(), folder.origin});
  return text + "searched\n" + text_table(folders);
}

}  // namespace

std::string list_plugins(const Catalog& catalog, const std::vector<SearchFolder>& searched, const Settings& settings) {
  return list(catalog, searched, settings, wanted_by);
}

std::string list_plugins_here(const Catalog& catalog, const std::vector<SearchFolder>& searched,
                              const Settings& settings) {
  const std::vector<DeviceFacts> devices = devices_here();
  return list(catalog, searched, settings, [&](const CatalogItem& item) { return state_of(item, devices); }) +
         "no plugin was opened: whether its code refuses this machine is said by `fastvideo plugins check FOLDER`, and "
         "of a "
         "run by `fastvideo explain`\n";
}

std::string show_plugin(const Catalog& catalog, const std::string& name, const Settings& settings) {
  const std::vector<DeviceFacts> devices = devices_here();
  std::string text;
  std::set<std::string> known;
  for (const CatalogItem& item : catalog.items()) {
    const std::string& id = item.plugin->manifest.id;
    known.insert({item.item->name, item.item->full_name(), id});
    if (same_name(name, item.item->name) || same_name(name, item.item->full_name()) || same_name(name, id))
      text += show_item(item, devices, settings);
  }
  if (!text.empty()) return text;
  const std::vector<std::string> names(known.begin(), known.end());
  throw RequestError("no installed plugin or item is called '" + shortened(name) + "'" + did_you_mean(name, names) +
                     "; `fastvideo plugins` lists them");
}

void warn_of_folders(const Catalog& catalog) {
  for (const std::string& warning : catalog.warnings()) log_warning("plugins", warning);
}

void warn_of(const Catalog& catalog) {
  warn_of_folders(catalog);
  for (const RefusedFolder& folder : catalog.refused())
    log_warning("plugins", folder.folder.string() + " is refused: " + folder.reason);
  for (const CatalogItem& item : catalog.items())
    if (item.state == ItemState::refused)
      log_warning("plugins",
                  item.item->full_name() + " of " + item.plugin->manifest.id + " is refused: " + item.reason);
}

void warn_of_disabled(const Catalog& catalog) {
  for (const CatalogItem& item : catalog.items())
    if (item.state == ItemState::disabled)
      log_warning("plugins", item.item->full_name() + " is not offered: " + item.reason);
}

}  // namespace fastvideo::host
