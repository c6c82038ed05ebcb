#include "host/selection/rivals.hpp"

#include <mutex>
#include <set>

#include "host/error/error.hpp"
#include "host/log/log.hpp"

namespace fastvideo::host {
namespace {

std::string of_whom(const CatalogItem& item) {
  const Manifest& manifest = item.plugin->manifest;
  return manifest.id + " " + manifest.version + " in " + manifest.folder.string() + ", found by " + item.plugin->origin;
}

}  // namespace

OnDevice on_device(std::span<const CatalogItem* const> items, const DeviceFacts& device) {
  OnDevice found;
  for (const CatalogItem* item : items)
    if (const auto reason = rule_out(item->item->limits, device))
      found.others.push_back({item->item->full_name(), *reason});
    else
      found.items.push_back(item);
  return found;
}

const CatalogItem& one_of_rivals(std::span<const CatalogItem* const> items, const std::string& what,
                                 const std::string& choose) {
  std::vector<const CatalogItem*> rivals;  // the first item of each plugin
  std::set<const Plugin*> plugins;
  const CatalogItem* own = nullptr;
  size_t of_installation = 0;
  for (const CatalogItem* item : items) {
    if (!plugins.insert(item->plugin).second) continue;
    rivals.push_back(item);
    if (item->plugin->origin != "installation") continue;
    ++of_installation;
    own = item;
  }
  if (rivals.size() == 1) return *rivals.front();
  std::vector<Ruled> rows;
  for (const CatalogItem* item : rivals) rows.push_back({item->item->full_name(), of_whom(*item)});
  const std::string several = what + " is served by several plugins";
  if (of_installation != 1)
    throw RequestError(several + ", and which of them is meant is not said: choose one with " + choose +
                       rivals.front()->item->full_name() + ", or list a plugin in [plugins] disable" +
                       refusal_table(rows));
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::lock_guard lock(mutex);
  if (said.insert(what).second)
    log_warning("selection", several + "; the installation's own, " + own->item->full_name() + ", is taken, and " +
                                 choose + "NAME takes another" + refusal_table(rows));
  return *own;
}

}  // namespace fastvideo::host
