#include "host/selection/refusal.hpp"

#include <algorithm>
#include <optional>

#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

// Names that can be given: public names, and each implementation by its full name.
std::vector<std::string> names_of(const Catalog& catalog, std::string_view kind) {
  std::vector<std::string> names = catalog.names(kind);
  for (const CatalogItem* item : catalog.offered(kind)) names.push_back(item->item->full_name());
  return names;
}

}  // namespace

std::string refusal_table(std::span<const Ruled> rows) {
  size_t width = 0;
  for (const Ruled& row : rows) width = std::max(width, row.candidate.size());
  std::string table;
  for (const Ruled& row : rows) {
    table += "\n  " + row.candidate + std::string(width - row.candidate.size() + 2, ' ');
    for (const char c : row.why_not) {
      table += c;
      if (c == '\n') table.append(width + 4, ' ');
    }
  }
  return table;
}

std::string describe_site(const fv_attention_site& site) {
  std::string text = std::to_string(site.query_length) + " queries x " + std::to_string(site.key_length) + " keys, " +
                     std::to_string(site.query_heads) + " heads of " + std::to_string(site.head_size) + ", " +
                     dtype_name(site.dtype) + " on " + device_name(site.device);
  if (site.masks != 0) text += ", masks: " + mask_names(site.masks);
  return text;
}

std::string site_refusal(const AttentionRequest& request, const fv_attention_site& site, std::span<const Ruled> tried,
                         const Catalog& catalog, const DeviceFacts& device) {
  std::string text = std::string(site.role) + " cannot be served as configured: " + request.describe() + " (" +
                     describe_site(site) + ")";
  text += tried.empty() ? "\n  no attention backend is installed" : refusal_table(tried);
  // Those that were tried have said no already, whatever their manifests allow.
  std::vector<std::string> others;
  for (const CatalogItem* item : catalog.offered("attention")) {
    const std::string name = item->item->full_name();
    const auto is_it = [&](const Ruled& one) { return one.candidate == name; };
    if (std::none_of(tried.begin(), tried.end(), is_it) && !rule_out(item->item->limits, site, device))
      others.push_back(name);
  }
  if (others.empty()) return text + "\nNo other installed backend can serve it either: `fastvideo plugins` lists them";
  return text + "\nBy their manifests these can serve it: " + joined(others) +
         ". Choose one with --attention-backend " + site.role + "=NAME, or permit it in [attention] fallback";
}

std::string unknown_name_refusal(const std::string& name, const std::string& asked, std::string_view kind,
                                 const Catalog& catalog, const DeviceFacts& device) {
  const std::vector<std::string> names = names_of(catalog, kind);
  std::string text = "no plugin offers the " + std::string(kind) + " item '" + name + "', asked for by " + asked +
                     did_you_mean(name, names);
  std::vector<Ruled> rows;
  for (const CatalogItem& item : catalog.items()) {
    if (item.item->kind != kind || item.state == ItemState::shadowed) continue;
    std::optional<std::string> why = rule_out(item.item->limits, device);
    if (item.state != ItemState::offered) why = item.reason;
    rows.push_back({item.item->full_name(), why ? *why : "usable: " + item.item->summary});
  }
  if (rows.empty()) return text + "\n  none is installed: --plugin-dir and FASTVIDEO_PLUGIN_PATH say where plugins are";
  return text + refusal_table(rows) + "\nChoose one of these, or say with --plugin-dir where '" + name + "' is";
}

}  // namespace fastvideo::host
