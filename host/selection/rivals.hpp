// Several items of different plugins where one is needed and nobody has said which.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "host/plugins/catalog.hpp"
#include "host/plugins/limits.hpp"
#include "host/selection/refusal.hpp"

namespace fastvideo::host {

/// Those of the items whose manifests allow the device, and why not the others.
struct OnDevice {
  std::vector<const CatalogItem*> items;
  std::vector<Ruled> others;
};
OnDevice on_device(std::span<const CatalogItem* const> items, const DeviceFacts& device);

/// The item to take. Those of one plugin are that author's own order, so the first of them counts. Of several plugins
/// the installation's own keeps its meaning, wherever the others were found, and a warning (once a process) names all;
/// if none or several of them are the installation's, a RequestError does. `what`: "the class WanPipeline"; `choose`:
/// what goes before a name to choose it, "--pipeline ". `items` is not empty.
const CatalogItem& one_of_rivals(std::span<const CatalogItem* const> items, const std::string& what,
                                 const std::string& choose);

}  // namespace fastvideo::host
