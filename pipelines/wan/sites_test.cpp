// A whole run: the attention sites that the pipeline declares beside the calls that it makes.
#include <gtest/gtest.h>

#include "pipelines/common/testing/declared_sites.hpp"
#include "pipelines/wan/test_run.hpp"
#include "pipelines/wan/wan_pipeline.hpp"

namespace fastvideo::wan {
namespace {

TEST(WanSites, ARunCallsWhatItDeclares) {
  for (const double guidance : {3.0, 1.0}) {
    SCOPED_TRACE(guidance);
    const testing::Parameters parameters = small_video(guidance);
    testing::AttentionServiceForTests service;
    WanPipeline pipeline(service.host(), FASTVIDEO_SOURCE_DIR "/models/shapes");
    testing::CountedFrames frames;
    testing::expect_calls_as_declared(pipeline, service, parameters.options(), frames.sink());
    EXPECT_EQ(service.sites().size(), 4u);
    EXPECT_EQ(frames.count(), 9);
  }
}

}  // namespace
}  // namespace fastvideo::wan
