#include <fastvideo/plugin.hpp>

#include "pipelines/wan/wan_pipeline.hpp"

FASTVIDEO_PLUGIN(fastvideo::pipeline<fastvideo::wan::WanPipeline>("wan", "torch"))
