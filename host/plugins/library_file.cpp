#include "host/plugins/library_file.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fastvideo/broken_link.hpp>

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

// Only what belongs to the program can be built with it.
std::string advice_for(const Plugin& plugin) {
  if (plugin.origin == "installation")
    return "; it was not built (./dev build builds all that this machine can) or not copied";
  return "; copy the plugin's folder anew, with its libraries, or get them from the plugin's author";
}

}  // namespace

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

}  // namespace fastvideo::host
