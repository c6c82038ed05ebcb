#include "host/plugins/library_file.hpp"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fastvideo/broken_link.hpp>

#include "host/error/error.hpp"
#include "host/plugins/preflight.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

// Only what belongs to the program can be built with it.
std::string advice_for(const Plugin& plugin) {
  if (plugin.origin == "installation")
    return "; it was not built (./dev build builds all that this machine can) or not copied";
  return "; copy the plugin's folder anew, with its libraries, or get them from the plugin's author";
}

// The system's own search path is known to the loader alone. What it finds stays open: the library that needs it would
// get the same.
bool system_has(const std::string& name) { return dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL) != nullptr; }

}  // namespace

std::vector<fs::path> library_path(const Settings& settings) {
  const std::vector<std::string> folders = settings.strings("libraries.path");
  return {folders.begin(), folders.end()};
}

fs::path find_library(const std::string& name, const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders)
    if (std::error_code none; fs::exists(folder / name, none)) return folder / name;
  return {};
}

std::string needs_library(const std::string& name, const std::vector<fs::path>& library_path) {
  const std::string searched = joined(library_path, ", ", [](const fs::path& folder) { return folder.string(); });
  return "needs " + name + ", which is in no folder of [libraries] path (" +
         (searched.empty() ? "it is empty" : searched) + "); add the folder that holds it";
}

std::string missing_library(const CatalogItem& item) {
  const fs::path& file = item.item->library;
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0) return {};
  const int error = errno;
  std::string what = "its library is not there: " + file.string();
  if (const std::string link = broken_link(file.string()); !link.empty())
    what = "its library " + file.string() + " " + link;
  else if (error != ENOENT && error != ENOTDIR)
    what = "its library " + file.string() + " cannot be read: " + std::strerror(error);
  return what + advice_for(*item.plugin);
}

std::vector<std::string> missing_libraries(const std::string& soname, const std::vector<fs::path>& library_path) {
  const fs::path file = find_library(soname, library_path);
  if (file.empty()) return {soname};
  SharedObject object;
  try {
    object = read_shared_object(file);
  } catch (const RequestError&) {
    return {soname};  // damaged: opening it would say how
  }
  std::erase_if(object.needed, [&](const std::string& name) {
    return !find_library(name, object.search_path).empty() || !find_library(name, library_path).empty() ||
           system_has(name);
  });
  return object.needed;
}

}  // namespace fastvideo::host
