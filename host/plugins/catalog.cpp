#include "host/plugins/catalog.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fastvideo/broken_link.hpp>
#include <unordered_set>

#include "host/config/paths.hpp"
#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

bool has_manifest(const fs::path& folder) {
  std::error_code code;  // also a link that leads nowhere: reading it says why
  const fs::file_type type = fs::symlink_status(folder / "plugin.toml", code).type();
  return type != fs::file_type::not_found && type != fs::file_type::none;
}

// The plugins that a search folder means: itself, or its subfolders by name.
std::vector<fs::path> plugin_folders(const fs::path& folder) {
  if (has_manifest(folder)) return {folder};
  std::vector<fs::path> found;
  for (const fs::path& entry : entries_of(folder))
    if (has_manifest(entry)) found.push_back(entry);
  return found;
}

}  // namespace

std::vector<SearchFolder> plugin_search_path(const Settings& settings, const Installation& installation) {
  std::vector<SearchFolder> folders;
  const auto add = [&](const Value& paths, const Source& source) {
    const bool named_now = source.kind >= Source::Kind::embedder;
    for (const std::string& path : paths.strings()) folders.push_back({path, source.describe(), named_now});
  };
  if (const Setting* path = settings.find("plugins.path")) {
    add(path->value, path->source);
    for (const Setting::Outranked& lower : path->outranked) add(lower.value, lower.source);
  }
  std::error_code code;
  if (fs::is_directory(installation.plugins(), code))
    folders.push_back({installation.plugins(), "installation", false});
  return folders;
}

Catalog Catalog::discover(const std::vector<SearchFolder>& folders, const std::vector<std::string>& disabled) {
  Catalog catalog;
  for (const SearchFolder& folder : folders) {
    std::error_code code;
    const std::string named = folder.origin + ": ";
    if (!fs::is_directory(folder.path, code)) {
      const std::string link = broken_link(folder.path.string());
      const std::string problem =
          named + "the folder of plugins " + folder.path.string() + (link.empty() ? " does not exist" : " " + link);
      if (folder.must_exist) throw RequestError(problem, "plugins.path");
      catalog.warnings_.push_back(problem);
      continue;
    }
    const std::vector<fs::path> found = plugin_folders(folder.path);
    if (found.empty() && folder.origin != "installation")
      catalog.warnings_.push_back(named + folder.path.string() +
                                  " holds no plugin: neither a plugin.toml nor folders with one");
    for (const fs::path& plugin : found) catalog.add_folder(plugin, folder, disabled);
  }
  for (const std::string& id : disabled)
    if (!catalog.ids_.contains(id))
      catalog.warnings_.push_back("plugins.disable: no plugin has the id '" + shortened(id) + "'");
  return catalog;
}

void Catalog::add_folder(const fs::path& folder, const SearchFolder& found_in,
                         const std::vector<std::string>& disabled) {
  struct stat status {};
  const bool is_known = stat(folder.c_str(), &status) == 0;
  const std::pair<dev_t, ino_t> place{status.st_dev, status.st_ino};
  if (is_known && folders_.contains(place)) return;  // one folder found on two ways
  auto plugin = std::make_unique<Plugin>();
  try {
    plugin->manifest = read_manifest(absolute_path(folder).lexically_normal());
  } catch (const std::exception& e) {
    refused_.push_back({folder, found_in.origin, e.what()});
    return;
  }
  if (is_known) folders_.insert(place);
  plugin->origin = found_in.origin;
  const Manifest& manifest = plugin->manifest;
  warnings_.insert(warnings_.end(), manifest.warnings.begin(), manifest.warnings.end());

  const auto [same_id, is_new] = ids_.try_emplace(manifest.id, plugin.get());
  for (const Item& item : manifest.items) {
    CatalogItem listed{plugin.get(), &item, ItemState::offered, ""};
    const std::string key = item.kind + '\n' + small_letters(item.full_name());
    const auto shadow = first_.find(key);
    if (!item.known_kind()) {
      listed.withhold(ItemState::unknown_kind, "kind '" + item.kind + "' is unknown to this host");
    } else if (std::ranges::count(disabled, manifest.id) > 0) {
      listed.withhold(ItemState::disabled, manifest.id + " is listed in [plugins] disable");
    } else if (!is_new) {
      const fs::path& first = same_id->second->manifest.folder;
      listed.withhold(ItemState::shadowed, manifest.id + " was found before, in " + first.string());
    } else if (shadow != first_.end()) {
      const fs::path& first = shadow->second->manifest.folder;
      listed.withhold(ItemState::shadowed, item.full_name() + " was found before, in " + first.string());
    }
    if (listed.state == ItemState::offered) first_.emplace(key, plugin.get());
    items_.push_back(std::move(listed));
  }
  plugins_.push_back(std::move(plugin));
}

std::vector<const CatalogItem*> Catalog::offered(std::string_view kind) const {
  std::vector<const CatalogItem*> out;
  for (const CatalogItem& one : items_)
    if (one.state == ItemState::offered && one.item->kind == kind) out.push_back(&one);
  return out;
}

std::vector<const CatalogItem*> Catalog::find(std::string_view kind, std::string_view name) const {
  const bool with_implementation = name.find('/') != std::string_view::npos;
  std::vector<const CatalogItem*> out;
  for (const CatalogItem* one : offered(kind))
    if (same_name(with_implementation ? one->item->full_name() : one->item->name, name)) out.push_back(one);
  return out;
}

std::vector<std::string> Catalog::names(std::string_view kind) const {
  std::vector<std::string> out;
  std::unordered_set<std::string> known;
  for (const CatalogItem* one : offered(kind))
    if (known.insert(small_letters(one->item->name)).second) out.push_back(one->item->name);
  return out;
}

}  // namespace fastvideo::host
