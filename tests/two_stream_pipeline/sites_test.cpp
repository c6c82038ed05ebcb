// What the family declares of its attention beside what it calls. two_stream_test.py makes the folder and runs this.
#include <gtest/gtest.h>

#include <cstdlib>

#include "pipelines/common/testing/declared_sites.hpp"
#include "pipelines/common/testing/parameters.hpp"
#include "tests/two_stream_pipeline/two_stream_pipeline.hpp"

namespace fastvideo::two_stream {
namespace {

TEST(TwoStreamSites, ARunCallsWhatItDeclares) {
  const char* folder = std::getenv("FASTVIDEO_TWO_STREAM_MODEL");
  ASSERT_NE(folder, nullptr) << "run by two_stream_test.py";
  for (const double guidance : {4.0, 1.0}) {
    SCOPED_TRACE(guidance);
    testing::Parameters parameters;
    parameters.set("prompt", "a red circle").set("negative_prompt", "grey").set("later_prompts", {"a cat"});
    parameters.set("device", "cpu").set("dtype", "auto").set("vae_dtype", "auto").set("variant", "");
    parameters.set("offload", "text").set("height", 16).set("width", 24).set("num_frames", 3).set("fps", 8);
    parameters.set("max_sequence_length", 16)
        .set("num_inference_steps", 2)
        .set("guidance_scale", guidance)
        .set("seed", 1);
    testing::AttentionServiceForTests service;
    TwoStreamPipeline pipeline(service.host(), folder);
    testing::CountedFrames frames;
    testing::expect_calls_as_declared(pipeline, service, parameters.options(), frames.sink());
    EXPECT_EQ(frames.count(), 3);
    // Two encoders of one role, two joint sites of another; the branches of guidance are rows of one call.
    ASSERT_EQ(service.sites().size(), 4u);
    EXPECT_EQ(service.sites()[0]->site->get().masks, uint32_t{FV_MASK_CAUSAL});
    EXPECT_NE(service.sites()[0]->site->get().query_heads, service.sites()[1]->site->get().query_heads);
    EXPECT_NE(service.sites()[2]->site->get().query_heads, service.sites()[3]->site->get().query_heads);
    const std::vector<int32_t> branches = guidance > 1 ? std::vector{0, 1} : std::vector{0};
    EXPECT_EQ(service.sites()[3]->calls.front().branches, branches);
  }
}

}  // namespace
}  // namespace fastvideo::two_stream
