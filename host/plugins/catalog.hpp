// All plugins that can be found, and what they offer. Nothing is opened.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "host/config/installation.hpp"
#include "host/config/settings.hpp"
#include "host/plugins/manifest.hpp"

namespace fastvideo::host {

/// A folder to look for plugins in: a plugin's own folder, or one whose subfolders are plugins.
struct SearchFolder {
  std::filesystem::path path;  ///< absolute
  std::string origin;          ///< "--plugin-dir", "FASTVIDEO_PLUGIN_PATH", "fastvideo.toml:3:8", "installation"
  bool must_exist = false;     ///< named on the command line or by an embedder: a RequestError if it is not there
};

/// --plugin-dir, then FASTVIDEO_PLUGIN_PATH, then [plugins] path, then the installation's own folder. Throws
/// RequestError for a path in the environment that is not absolute.
std::vector<SearchFolder> plugin_search_path(const Settings& settings, const Installation& installation);

/// A plugin that was found.
struct Plugin {
  Manifest manifest;
  std::string origin;  ///< of the search folder it was found in
};

/// Why an item is not offered.
enum class ItemState {
  offered,
  shadowed,      ///< an earlier one has the same kind, name and implementation, or its plugin the same id
  refused,       ///< contradicts another item or the host
  unknown_kind,  ///< of a kind that this host does not know
  disabled,      ///< its plugin is listed in [plugins] disable
};

/// An item as the catalog lists it. Pointers live as long as the catalog.
struct CatalogItem {
  const Plugin* plugin = nullptr;
  const Item* item = nullptr;
  ItemState state = ItemState::offered;
  std::string reason;  ///< unless offered

  void withhold(ItemState because, const std::string& why) {
    state = because;
    reason = why;
  }
};

/// A folder whose manifest could not be used.
struct RefusedFolder {
  std::filesystem::path folder;
  std::string origin;
  std::string reason;  ///< "file:line:column: what"
};

/// What was found. Immutable once discovered, but for add_options; any thread may read.
class Catalog {
 public:
  /// Reads the manifests of all folders, in order; subfolders by name. One bad folder never stops the others.
  /// `disabled` lists ids of plugins ([plugins] disable).
  static Catalog discover(const std::vector<SearchFolder>& folders, const std::vector<std::string>& disabled = {});

  /// Every item found, in order of search; those that are not offered among them.
  const std::vector<CatalogItem>& items() const { return items_; }
  /// The offered items of a kind, in order of search.
  std::vector<const CatalogItem*> offered(std::string_view kind) const;
  /// The offered items that "NAME" or "NAME/implementation" means, letter case ignored, in order of search.
  std::vector<const CatalogItem*> find(std::string_view kind, std::string_view name) const;
  /// The public names of a kind, each once, in order of search.
  std::vector<std::string> names(std::string_view kind) const;

  const std::vector<std::unique_ptr<Plugin>>& plugins() const { return plugins_; }
  const std::vector<RefusedFolder>& refused() const { return refused_; }
  /// Unknown keys of manifests and search folders that do not exist, ready to be logged.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  friend void add_options(Schema& schema, Catalog& catalog, const std::vector<std::string>& program_flags);
  void add_folder(const std::filesystem::path& folder, const SearchFolder& found_in,
                  const std::vector<std::string>& disabled);

  std::vector<std::unique_ptr<Plugin>> plugins_;
  std::vector<CatalogItem> items_;
  std::vector<RefusedFolder> refused_;
  std::vector<std::string> warnings_;
  std::unordered_map<std::string, const Plugin*> first_;  // with an item of a kind and full name in small letters
  std::unordered_map<std::string, const Plugin*> ids_;
  std::set<std::pair<dev_t, ino_t>> folders_;  // of plugins_
};

/// Adds the options of all offered items to the schema. Items that contradict each other (one flag for two meanings,
/// one setting of two types) or the host are marked as refused, all of them, with a reason that names the others.
/// `program_flags`: flags of the command line that are no settings ("--help").
void add_options(Schema& schema, Catalog& catalog, const std::vector<std::string>& program_flags = {});

}  // namespace fastvideo::host
