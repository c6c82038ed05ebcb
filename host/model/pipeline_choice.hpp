// Which pipeline runs a model.
#pragma once

#include <vector>

#include "host/config/settings.hpp"
#include "host/model/device.hpp"
#include "host/model/model_folder.hpp"
#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// The offered pipeline items that may run the model, by name: those that serve its class and, unless [request]
/// pipeline is auto, have the name that is asked for. Throws RequestError, which lists what there is, if there is none.
std::vector<const CatalogItem*> possible_pipelines(const Settings& settings, const Catalog& catalog,
                                                   const ModelFolder& folder);

/// The one of them that runs on the device. Throws RequestError with a table if none can, or if several plugins offer
/// one and none of them is the installation's own.
const CatalogItem& chosen_pipeline(const std::vector<const CatalogItem*>& possible, const ModelFolder& folder,
                                   const RunDevice& device);

}  // namespace fastvideo::host
