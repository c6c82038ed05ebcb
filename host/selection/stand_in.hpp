// What serves a request in the place of an item.
#pragma once

#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// A calibration's: the table of the item's kind, and the object that the table takes. All are borrowed.
struct StandIn {
  const CatalogItem* item = nullptr;
  const void* table = nullptr;
  void* object = nullptr;
};

}  // namespace fastvideo::host
