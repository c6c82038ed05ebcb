#include "host/model/libraries.hpp"

#include <dlfcn.h>

#include <algorithm>

#include "host/error/error.hpp"
#include "host/plugins/preflight.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

fs::path find_in(const std::vector<fs::path>& folders, const std::string& name) {
  for (const fs::path& folder : folders)
    if (std::error_code none; fs::exists(folder / name, none)) return folder / name;
  return {};
}

// The system's own search path is known to the loader alone. What it finds stays open: the library that needs it would
// get the same.
bool system_has(const std::string& name) { return dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL) != nullptr; }

}  // namespace

std::vector<std::string> missing_libraries(const std::string& soname, const std::vector<fs::path>& library_path) {
  const fs::path file = find_in(library_path, soname);
  if (file.empty()) return {soname};
  SharedObject object;
  try {
    object = read_shared_object(file);
  } catch (const RequestError&) {
    return {soname};  // damaged: opening it would say how
  }
  std::vector<std::string> missing;
  for (const std::string& name : object.needed)
    if (find_in(object.search_path, name).empty() && find_in(library_path, name).empty() && !system_has(name))
      missing.push_back(name);
  return missing;
}

}  // namespace fastvideo::host
