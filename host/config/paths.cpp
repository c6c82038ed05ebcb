#include "host/config/paths.hpp"

#include <algorithm>
#include <system_error>

#include "host/error/error.hpp"

namespace fastvideo::host {

namespace fs = std::filesystem;

fs::path absolute_path(const fs::path& path) {
  std::error_code failure;
  fs::path absolute = fs::absolute(path, failure);
  if (failure)
    throw RequestError(path.string() + ": the working directory, which it is relative to, cannot be told (" +
                       failure.message() + "): change to another one, or give the path from / on");
  return absolute;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code failure;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure))
    entries.push_back(at->path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace fastvideo::host
