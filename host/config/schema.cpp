#include "host/config/schema.hpp"

#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"

namespace fastvideo::host {
namespace {

// Whether `path` means `spec`. Keys are exact, but for the public name of an item: the part between the first dot and
// the last one.
bool means(const SettingSpec& spec, std::string_view path) {
  if (path == spec.path) return true;
  if (spec.owner.empty() || !same_name(path, spec.path)) return false;
  const size_t first = path.find('.');
  const size_t last = path.rfind('.');
  return path.substr(0, first) == spec.path.substr(0, first) && path.substr(last) == spec.path.substr(last);
}

std::string who(const SettingSpec& spec) { return spec.owner.empty() ? "the host" : spec.owner; }

}  // namespace

void Schema::add(SettingSpec spec) {
  for (const size_t index : by_path_[small_letters(spec.path)]) {
    const SettingSpec& other = specs_[index];
    const bool same_path = means(other, spec.path);
    if (same_path && other.owner.empty() != spec.owner.empty())
      throw RequestError(who(spec) + " declares " + spec.path + ", which is a setting of the host");
    if (same_path && other.option.type != spec.option.type)
      throw RequestError(spec.path + " is a " + std::string(type_name(spec.option.type)) + " for " + who(spec) +
                         ", and a " + std::string(type_name(other.option.type)) + " for " + who(other));
    if (same_path) spec.path = other.path;  // one spelling of the public name
  }
  // All that has one flag has one path: the first tells.
  if (const auto found = by_flag_.find(spec.option.flag); !spec.option.flag.empty() && found != by_flag_.end()) {
    const SettingSpec& other = specs_[found->second.front()];
    if (!means(other, spec.path))
      throw RequestError("the flag " + spec.option.flag + " stands for " + spec.path + " of " + who(spec) +
                         ", and for " + other.path + " of " + who(other));
  }
  by_path_[small_letters(spec.path)].push_back(specs_.size());
  if (!spec.option.flag.empty()) by_flag_[spec.option.flag].push_back(specs_.size());
  specs_.push_back(std::move(spec));
}

std::vector<const SettingSpec*> Schema::find(std::string_view path) const {
  std::vector<const SettingSpec*> found;
  if (const auto indices = by_path_.find(small_letters(path)); indices != by_path_.end())
    for (const size_t index : indices->second)
      if (means(specs_[index], path)) found.push_back(&specs_[index]);
  return found;
}

std::vector<const SettingSpec*> Schema::find_flag(std::string_view flag) const {
  std::vector<const SettingSpec*> found;
  if (const auto indices = by_flag_.find(std::string(flag)); indices != by_flag_.end())
    for (const size_t index : indices->second) found.push_back(&specs_[index]);
  return found;
}

std::string Schema::suggest(std::string_view path) const {
  std::vector<std::string> known;
  for (const SettingSpec& spec : specs_) known.push_back(spec.path);
  return did_you_mean(path, known);
}

}  // namespace fastvideo::host
