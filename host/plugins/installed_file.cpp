#include "host/plugins/installed_file.hpp"

#include <algorithm>
#include <optional>

#include "host/config/paths.hpp"
#include "host/error/error.hpp"
#include "host/plugins/library_file.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

// Whether a name is of the pattern, in which one * may stand for any rest.
bool matches(const std::string& name, const std::string& pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string::npos) return name == pattern;
  const std::string_view before(pattern.data(), star), after(pattern.data() + star + 1);
  return name.size() >= pattern.size() - 1 && name.starts_with(before) && name.ends_with(after);
}

// A library that is to be opened before the item's own, and is in no folder that the loader looks into.
std::string missing_need(const Item& item, const std::vector<fs::path>& library_path) {
  std::vector<std::string> needed = item.needs.libraries;
  if (!item.needs.torch.empty()) needed.insert(needed.begin(), "libtorch_cpu.so");
  for (const std::string& name : needed)
    if (find_library(name, library_path).empty()) return needs_library(name, library_path);
  return {};
}

bool is_named(const Item& item, const InstalledFile& wanted, const Settings& settings) {
  const Setting* setting = settings.find(item.settings_prefix() + "." + wanted.option);
  return setting != nullptr && !setting->value.string().empty();
}

// Where Python looks for packages: the folders of PYTHONPATH, then the site-packages of each LibTorch in
// `library_path`. Only folders that exist.
std::vector<fs::path> python_folders(const std::vector<fs::path>& library_path, const Environment& environment) {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& folder) {
    std::error_code none;
    const fs::path real = fs::weakly_canonical(folder, none);
    if (fs::is_directory(real, none) && std::find(folders.begin(), folders.end(), real) == folders.end())
      folders.push_back(real);
  };
  if (const char* variable = environment("PYTHONPATH"))
    for (const std::string& part : split(variable, ':')) add(part);
  for (const fs::path& library : library_path)
    if (!find_library("libtorch_cpu.so", {library}).empty()) add(library / ".." / "..");  // site-packages/torch/lib
  return folders;
}

// The first file of that description, by name where a folder has several; nothing if it is in none.
std::optional<fs::path> find_installed(const InstalledFile& wanted, const std::vector<fs::path>& folders) {
  const fs::path below(wanted.python);
  std::error_code none;
  for (const fs::path& folder : folders)
    for (const fs::path& file : entries_of(folder / below.parent_path()))
      if (fs::is_regular_file(file, none) && matches(file.filename().string(), below.filename().string())) return file;
  return std::nullopt;
}

}  // namespace

std::string what_is_missing(const CatalogItem& listed, const Settings& settings, const Environment& environment) {
  const Item& item = *listed.item;
  if (!item.known_kind()) return {};
  if (std::string missing = missing_library(listed); !missing.empty()) return missing;
  if (std::string missing = missing_need(item, library_path(settings)); !missing.empty()) return missing;
  for (const InstalledFile& wanted : item.installed) {
    if (is_named(item, wanted, settings)) continue;
    const std::vector<fs::path> folders = python_folders(library_path(settings), environment);
    if (find_installed(wanted, folders)) continue;
    const std::string searched = joined(folders, ", ", [](const fs::path& folder) { return folder.string(); });
    return wanted.what + " is not installed: no " + wanted.python + " in " +
           (searched.empty() ? "PYTHONPATH, nor a LibTorch in [libraries] path" : searched) + "; " + wanted.install +
           ", or name the file: [" + item.settings_prefix() + "] " + wanted.option;
  }
  return {};
}

void fill_in_installed(const Item& item, const Settings& settings, Value::Table& values,
                       const Environment& environment) {
  for (const InstalledFile& wanted : item.installed) {
    if (is_named(item, wanted, settings)) continue;
    const auto found = find_installed(wanted, python_folders(library_path(settings), environment));
    std::erase_if(values, [&](const Entry& entry) { return entry.name == wanted.option; });
    if (found) values.push_back({wanted.option, Value(found->string())});
  }
}

}  // namespace fastvideo::host
