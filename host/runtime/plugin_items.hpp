// The items of plugins, as the data of runtime.h.
#pragma once

#include "host/runtime/handles.hpp"

namespace fastvideo::host {

/// Fills items and warnings of a runtime out of its catalog.
void list_items(Runtime& runtime);

}  // namespace fastvideo::host
