#include "host/plugins/installed_file.hpp"

#include <algorithm>
#include <sstream>

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
std::string missing_need(const Item& item, const std::vector<std::string>& library_path) {
  std::vector<std::string> needed = item.needs.libraries;
  if (!item.needs.torch.empty()) needed.insert(needed.begin(), "libtorch_cpu.so");
  for (const std::string& name : needed) {
    const auto has = [&](const fs::path& folder) {
      std::error_code none;
      return fs::exists(folder / name, none);
    };
    if (std::none_of(library_path.begin(), library_path.end(), has))
      return "needs " + name + ", which is in no folder of [libraries] path (" +
             (library_path.empty() ? "it is empty" : comma_list(library_path)) + "); add the folder that holds it";
  }
  return {};
}

bool is_named(const Item& item, const InstalledFile& wanted, const Settings& settings) {
  const Setting* setting = settings.find(item.settings_prefix() + "." + wanted.option);
  return setting != nullptr && !setting->value.string().empty();
}

}  // namespace

std::vector<fs::path> python_folders(const std::vector<std::string>& library_path, const Environment& environment) {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& folder) {
    std::error_code none;
    const fs::path real = fs::weakly_canonical(folder, none);
    if (fs::is_directory(real, none) && std::find(folders.begin(), folders.end(), real) == folders.end())
      folders.push_back(real);
  };
  if (const char* variable = environment("PYTHONPATH")) {
    std::istringstream parts(variable);
    for (std::string part; std::getline(parts, part, ':');)
      if (!part.empty()) add(part);
  }
  for (const fs::path library : library_path) {  // site-packages/torch/lib
    std::error_code none;
    if (fs::exists(library / "libtorch_cpu.so", none)) add(library / ".." / "..");
  }
  return folders;
}

std::optional<fs::path> find_installed(const InstalledFile& wanted, const std::vector<fs::path>& folders) {
  const fs::path below(wanted.python);
  for (const fs::path& folder : folders) {
    std::vector<fs::path> found;
    std::error_code none;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder / below.parent_path(), none))
      if (entry.is_regular_file(none) && matches(entry.path().filename().string(), below.filename().string()))
        found.push_back(entry.path());
    if (!found.empty()) return *std::min_element(found.begin(), found.end());
  }
  return std::nullopt;
}

std::string what_is_missing(const CatalogItem& listed, const Settings& settings, const Environment& environment) {
  const Item& item = *listed.item;
  if (!item.known_kind()) return {};
  if (std::string missing = missing_library(listed); !missing.empty()) return missing;
  if (std::string missing = missing_need(item, settings.strings("libraries.path")); !missing.empty()) return missing;
  for (const InstalledFile& wanted : item.installed) {
    if (is_named(item, wanted, settings)) continue;
    const std::vector<fs::path> folders = python_folders(settings.strings("libraries.path"), environment);
    if (find_installed(wanted, folders)) continue;
    const std::vector<std::string> searched(folders.begin(), folders.end());
    return wanted.what + " is not installed: no " + wanted.python + " in " +
           (searched.empty() ? "PYTHONPATH, nor a LibTorch in [libraries] path" : comma_list(searched)) + "; " +
           wanted.install + ", or name the file: [" + item.settings_prefix() + "] " + wanted.option;
  }
  return {};
}

void fill_in_installed(const Item& item, const Settings& settings, Value::Table& values,
                       const Environment& environment) {
  for (const InstalledFile& wanted : item.installed) {
    if (is_named(item, wanted, settings)) continue;
    const auto found = find_installed(wanted, python_folders(settings.strings("libraries.path"), environment));
    std::erase_if(values, [&](const Entry& entry) { return entry.name == wanted.option; });
    if (found) values.push_back({wanted.option, Value(found->string())});
  }
}

}  // namespace fastvideo::host
