#include <fastvideo/plugin.hpp>

#include "tests/two_stream_pipeline/two_stream_pipeline.hpp"

FASTVIDEO_PLUGIN(fastvideo::pipeline<fastvideo::two_stream::TwoStreamPipeline>("two_stream", "torch"))
