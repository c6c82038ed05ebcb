// The library of an item that is not where its manifest says: what is in its place, and what to do.
#pragma once

#include <string>

#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// Why the file of the item's library is not there, as a message that says what to do; empty if something is there.
std::string missing_library(const CatalogItem& item);

}  // namespace fastvideo::host
