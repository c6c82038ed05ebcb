// Loading as a stage of a run: it shows how far it is, and can be stopped.
#pragma once

#include <fastvideo/pipeline.hpp>

#include "pipelines/common/weights/weights.hpp"

namespace fastvideo {

/// Begins a stage, and returns what reports the bytes of its weights as they are read; it throws Cancelled if the user
/// asked to stop. Borrows the progress.
LoadWatch begin_loading(const Progress& progress, const char* stage);

}  // namespace fastvideo
