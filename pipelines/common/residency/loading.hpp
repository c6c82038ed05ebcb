// Loading as a stage of a run: it shows how far it is, and can be stopped.
#pragma once

#include <fastvideo/pipeline.hpp>

#include "pipelines/common/diffusers_folder/component_weights.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo {

/// Begins a stage of a step for each kLoadPart bytes of the weights, and returns what reports them as they are read;
/// it throws Cancelled if the user asked to stop. Borrows the progress.
LoadWatch begin_loading(const Progress& progress, const char* stage, const ComponentWeights& weights);

}  // namespace fastvideo
