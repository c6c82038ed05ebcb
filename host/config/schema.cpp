#include "host/config/schema.hpp"

#include <strings.h>

#include "host/error/error.hpp"

namespace fastvideo {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Whether `path` means `spec`. Keys are exact, but for the public name of an item: the part between the first dot and
// the last one.
bool means(const SettingSpec& spec, std::string_view path) {
  if (path == spec.path) return true;
  if (spec.owner.empty() || !equal_ignoring_case(path, spec.path)) return false;
  const size_t first = path.find('.');
  const size_t last = path.rfind('.');
  return path.substr(0, first) == spec.path.substr(0, first) && path.substr(last) == spec.path.substr(last);
}

std::string who(const SettingSpec& spec) { return spec.owner.empty() ? "the host" : spec.owner; }

}  // namespace

void Schema::add(SettingSpec spec) {
  for (const SettingSpec& other : specs_) {
    const bool same_path = means(other, spec.path);
    if (same_path && other.owner.empty() != spec.owner.empty())
      throw RequestError(who(spec) + " declares " + spec.path + ", which is a setting of the host");
    if (same_path && other.option.type != spec.option.type)
      throw RequestError(spec.path + " is a " + std::string(type_name(spec.option.type)) + " for " + who(spec) +
                         ", and a " + std::string(type_name(other.option.type)) + " for " + who(other));
    if (!same_path && !spec.option.flag.empty() && spec.option.flag == other.option.flag)
      throw RequestError("the flag " + spec.option.flag + " stands for " + spec.path + " of " + who(spec) +
                         ", and for " + other.path + " of " + who(other));
    if (same_path) spec.path = other.path;  // one spelling of the public name
  }
  specs_.push_back(std::move(spec));
}

std::vector<const SettingSpec*> Schema::find(std::string_view path) const {
  std::vector<const SettingSpec*> found;
  for (const SettingSpec& spec : specs_)
    if (means(spec, path)) found.push_back(&spec);
  return found;
}

std::vector<const SettingSpec*> Schema::find_flag(std::string_view flag) const {
  std::vector<const SettingSpec*> found;
  for (const SettingSpec& spec : specs_)
    if (!flag.empty() && spec.option.flag == flag) found.push_back(&spec);
  return found;
}

std::string Schema::suggest(std::string_view path) const {
  std::vector<std::string> known;
  for (const SettingSpec& spec : specs_) known.push_back(spec.path);
  return did_you_mean(path, known);
}

}  // namespace fastvideo
