#include "host/config/source.hpp"

namespace fastvideo::host {

std::string Source::describe() const {
  if (kind == Kind::built_in) return "default";
  if (kind == Kind::preset) return "preset " + name;
  if (kind == Kind::file) return name + ":" + std::to_string(line) + ":" + std::to_string(column);
  return name;
}

}  // namespace fastvideo::host
