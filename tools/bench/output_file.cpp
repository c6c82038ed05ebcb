#include "tools/bench/output_file.hpp"

#include <span>

#include "host/error/error.hpp"
#include "host/media/staged_output.hpp"

namespace fastvideo::host {

void check_result_file(const std::string& flag, const std::string& path, const std::string& extension) {
  if (std::filesystem::path(path).extension() != extension)
    throw RequestError(flag + " " + path + ": a name that ends in " + extension + " is needed");
  const std::filesystem::path target = resolve_target(path);
  try {
    const StagedFile probe(target);
  } catch (const std::exception& e) {
    throw RequestError(flag + ": " + e.what());
  }
}

void write_result_file(const std::string& path, const std::string& text) {
  StagedFile file(resolve_target(path));
  file.append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  file.publish();
}

}  // namespace fastvideo::host
