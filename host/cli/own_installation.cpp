#include "host/cli/own_installation.hpp"

#include "host/error/error.hpp"

namespace fastvideo::host {

Installation own_installation() {
  std::error_code failure;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure)
    throw RequestError("/proc/self/exe, which says where fastvideo is installed, cannot be read: " + failure.message() +
                       "; mount /proc");
  const std::filesystem::path above = program.parent_path().parent_path();
  return {above.filename() == "libexec" ? above.parent_path() : above};
}

std::filesystem::path tools_of(const Installation& installation) {
  return installation.prefix / "libexec" / "fastvideo";
}

}  // namespace fastvideo::host
