// fastvideo/broken_link.hpp - which symbolic link of a path leads nowhere, and how.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace fastvideo {

/// The target of a symbolic link as the link holds it; empty if the link cannot be read.
inline std::string link_text(const std::string& link) {
  std::array<char, 4096> text{};  // PATH_MAX: no link holds more
  const ssize_t size = ::readlink(link.c_str(), text.data(), text.size());
  return {text.data(), size > 0 ? static_cast<size_t>(size) : 0};
}

/// The path at the end of a chain of links, whether a file is there or not. `link` must not lead back to itself.
inline std::string end_of_links(std::string link) {
  for (int hops = 0; hops < 40; ++hops) {  // the system's own limit
    const std::string text = link_text(link);
    if (text.empty()) break;
    if (text.front() == '/')
      link = text;
    else
      link.replace(link.rfind('/') + 1, std::string::npos, text);
  }
  return link;
}

/// The fault of a path that a broken link makes lead nowhere, to follow the path in a sentence: "is a link that leads
/// back to itself", "is a link to X, which is not there", "lies behind FOLDER, a link ...". Empty where no link is at
/// fault, whether the path exists or not.
inline std::string broken_link(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP))
    return {};
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const bool is_whole = end == std::string::npos || path.find_first_not_of('/', end) == std::string::npos;
    const std::string part = path.substr(0, end);
    if (::lstat(part.c_str(), &status) != 0) return {};
    if (S_ISLNK(status.st_mode) && ::stat(part.c_str(), &status) != 0) {
      std::string what = "a link that leads back to itself";
      if (errno != ELOOP) {
        const std::string text = link_text(part), real = end_of_links(part);
        what = "a link to " + text;
        if (real != text) what.append(", that is ").append(real);
        what += ", which is not there";
      }
      if (is_whole) return "is " + what;
      return std::string("lies behind ").append(part).append(", ").append(what);
    }
    if (is_whole) return {};
  }
}

}  // namespace fastvideo
