// A whole run: what the pipeline declares of its attention beside what it calls.
#include <fastvideo/pipeline.h>
#include <gtest/gtest.h>
#include <fastvideo/tensor_view.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "pipelines/common/testing/attention_service.hpp"
#include "pipelines/wan/test_run.hpp"
#include "pipelines/wan/wan_pipeline.hpp"

namespace fastvideo::wan {
namespace {

struct Declared {
  std::unique_ptr<AttentionSiteCopy> site;
  int64_t runs;
};

std::vector<Declared> declared_by(WanPipeline& pipeline, const Options& request) {
  std::vector<Declared> declared;
  fv_pipeline_plan_sink sink{};
  sink.struct_size = sizeof sink;
  sink.context = &declared;
  sink.site = [](void* context, const fv_attention_site* site, int64_t runs) {
    static_cast<std::vector<Declared>*>(context)->push_back({std::make_unique<AttentionSiteCopy>(*site), runs});
  };
  sink.component = [](void*, const char*, uint64_t) {};
  sink.peak = [](void*, const char*, uint64_t) {};
  sink.corrected = [](void*, const char*, const char*, const char*, const char*) {};
  sink.cache = [](void*, const fv_cache_session_info*) {};
  pipeline.check(request, sink);
  return declared;
}

void expect_same(const fv_attention_site& a, const fv_attention_site& b) {
  EXPECT_STREQ(a.role, b.role);
  EXPECT_EQ(a.scale, b.scale);
  EXPECT_EQ(a.masks, b.masks);
  EXPECT_EQ(a.require, b.require);
  EXPECT_EQ(a.query_heads, b.query_heads);
  EXPECT_EQ(a.kv_heads, b.kv_heads);
  EXPECT_EQ(a.head_size, b.head_size);
  EXPECT_EQ(a.layers, b.layers);
  EXPECT_EQ(a.query_length, b.query_length);
  EXPECT_EQ(a.key_length, b.key_length);
  EXPECT_EQ(a.batch, b.batch);
  EXPECT_EQ(a.steps, b.steps);
}

// Whether calls of a role fill the lengths that are planned for it: a text is as long as its tokens.
bool fills_lengths(const fv_attention_site& site) { return std::string_view(site.role) != FV_ROLE_TEXT_SELF; }

void expect_as_declared(const fv_attention_site& site, int64_t runs, const std::vector<testing::ServedCall>& calls) {
  SCOPED_TRACE(site.role);
  ASSERT_EQ(static_cast<int64_t>(calls.size()), runs);
  std::map<int32_t, int64_t> of_layer;
  int64_t rows = 0;
  for (const testing::ServedCall& call : calls) {
    ++of_layer[call.layer];
    rows = std::max(rows, call.q[0]);
    EXPECT_EQ(call.q[2], site.query_heads);
    EXPECT_EQ(call.q[3], site.head_size);
    EXPECT_EQ(call.k[2], site.kv_heads);
    EXPECT_TRUE(same_dtype(call.dtype, site.dtype));
    EXPECT_EQ(call.masks, site.masks);
    EXPECT_EQ(call.step >= 0, site.steps > 0);
    EXPECT_LT(call.step, std::max(site.steps, 1));
    if (fills_lengths(site)) {
      EXPECT_EQ(call.q[1], site.query_length);
      EXPECT_EQ(call.k[1], site.key_length);
    } else {
      EXPECT_LE(call.k[1], site.key_length);
    }
  }
  EXPECT_EQ(rows, site.batch);
  EXPECT_EQ(static_cast<int32_t>(of_layer.size()), site.layers);
  for (const auto& [layer, count] : of_layer) EXPECT_EQ(count * site.layers, runs) << "layer " << layer;
}

TEST(WanSites, ARunCallsWhatItDeclares) {
  for (const double guidance : {3.0, 1.0}) {
    SCOPED_TRACE(guidance);
    const testing::Parameters parameters = small_video(guidance);
    testing::AttentionServiceForTests service;
    WanPipeline pipeline(service.host(), FASTVIDEO_SOURCE_DIR "/models/shapes");
    const std::vector<Declared> declared = declared_by(pipeline, parameters.options());
    CountedFrames frames;
    pipeline.run(service.host(), parameters.options(), frames.sink());
    EXPECT_EQ(frames.count(), 9);

    ASSERT_EQ(declared.size(), 4u);
    ASSERT_EQ(service.sites().size(), declared.size());
    for (size_t i = 0; i < declared.size(); ++i) {
      expect_same(declared[i].site->get(), service.sites()[i]->site->get());
      expect_as_declared(declared[i].site->get(), declared[i].runs, service.sites()[i]->calls);
    }
  }
}

}  // namespace
}  // namespace fastvideo::wan
