// Loading as a stage of a run, with progress and cancelling.
#pragma once

#include <fastvideo/pipeline.hpp>

#include "pipelines/common/weights/weights.hpp"

namespace fastvideo {

/// Begins a stage, and returns the function that reports the bytes of its weights as they are read; the function throws
/// Cancelled if the user asked to stop. Borrows the progress.
LoadWatch begin_loading(const Progress& progress, const char* stage);

}  // namespace fastvideo
