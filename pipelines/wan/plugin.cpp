#include <fastvideo/plugin.hpp>

#include "pipelines/wan/wan_pipeline.hpp"

FASTVIDEO_PLUGIN("org.fastvideo.wan", "0.1.0", fastvideo::pipeline<fastvideo::wan::WanPipeline>("wan", "torch"))
