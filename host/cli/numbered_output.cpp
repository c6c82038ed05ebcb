#include "host/cli/numbered_output.hpp"

#include <filesystem>

namespace fastvideo::host {

std::string numbered_output(const std::string& output, size_t index, size_t count) {
  if (count <= 1) return output;
  std::string number = std::to_string(index + 1);
  number.insert(0, std::to_string(count).size() - number.size(), '0');
  std::filesystem::path path(output);
  const bool ends_in_slash = !path.has_filename();
  if (ends_in_slash) path = path.parent_path();
  path.replace_filename(path.stem().string() + "_" + number + path.extension().string());
  return path.string() + (ends_in_slash ? "/" : "");
}

}  // namespace fastvideo::host
