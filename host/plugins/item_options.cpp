// The options of items become settings; items that contradict each other are refused, whichever was found first, so
// that the order of the search changes nothing.
#include <algorithm>
#include <map>
#include <set>

#include "host/error/letter_case.hpp"
#include "host/plugins/catalog.hpp"

namespace fastvideo::host {
namespace {

std::string owner_name(const CatalogItem& one) {
  return one.item->full_name() + " (" + one.plugin->manifest.file.string() + ")";
}

std::string path_of(const CatalogItem& one, const OptionSpec& option) {
  return one.item->settings_prefix() + "." + option.name;
}

// An item that gives something (a flag, a setting) a meaning (a setting, a type).
struct Use {
  CatalogItem* item;
  std::string meaning;
};

bool contradict(const std::vector<Use>& uses) {
  return std::ranges::any_of(uses, [&](const Use& use) { return use.meaning != uses.front().meaning; });
}

void refuse_all(const std::string& what, const std::vector<Use>& uses) {
  std::string reason = what + " means different things:";
  std::set<std::string> named;
  constexpr size_t kMostNamed = 8;  // the reason is that of each of them
  for (const Use& use : uses)
    if (named.size() < kMostNamed && named.insert(owner_name(*use.item) + use.meaning).second)
      reason += (named.size() == 1 ? " " : ", ") + use.meaning + " of " + owner_name(*use.item);
  if (uses.size() > kMostNamed) reason += ", ... (" + std::to_string(uses.size()) + " in all)";
  reason += "; take one of them away, or list its plugin in [plugins] disable";
  for (const Use& use : uses) use.item->withhold(ItemState::refused, reason);
}

}  // namespace

void add_options(Schema& schema, Catalog& catalog, const std::vector<std::string>& program_flags) {
  std::map<std::string, std::vector<Use>> flags, types;
  for (CatalogItem& one : catalog.items_) {
    if (one.state != ItemState::offered) continue;
    for (const OptionSpec& option : one.item->options) {
      const std::string path = path_of(one, option);
      const bool taken = std::ranges::count(program_flags, option.flag) > 0;
      if (!option.flag.empty() && (taken || !schema.find_flag(option.flag).empty()))
        one.withhold(ItemState::refused,
                     "option '" + option.name + "' takes " + option.flag + ", which is a flag of fastvideo itself");
      if (!schema.find(path).empty())
        one.withhold(ItemState::refused, "option '" + option.name + "' is the setting " + path + " of the host");
      if (!option.flag.empty()) flags[option.flag].push_back({&one, small_letters(path)});
      types[small_letters(path)].push_back({&one, std::string(type_name(option.type))});
    }
  }
  for (const auto& [flag, uses] : flags)
    if (contradict(uses)) refuse_all("the flag " + flag, uses);
  for (const auto& [path, uses] : types)
    if (contradict(uses)) refuse_all("the setting " + path, uses);

  for (CatalogItem& one : catalog.items_) {
    if (one.state != ItemState::offered) continue;
    for (const OptionSpec& option : one.item->options) schema.add({path_of(one, option), owner_name(one), option});
  }
}

}  // namespace fastvideo::host
