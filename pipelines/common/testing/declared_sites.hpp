// For tests of families: compares the sites that a pipeline declares with the calls that it makes.
#pragma once

#include <fastvideo/pipeline.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fastvideo/pipeline.hpp>
#include <fastvideo/tensor_view.hpp>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "pipelines/common/testing/attention_service.hpp"

namespace fastvideo::testing {

/// A site with the number of calls that the pipeline says it will make.
struct DeclaredSite {
  std::unique_ptr<AttentionSiteCopy> site;
  int64_t runs;
};

inline std::vector<DeclaredSite> declared_by(Pipeline& pipeline, const Options& request) {
  std::vector<DeclaredSite> declared;
  fv_pipeline_plan_sink sink{};
  sink.struct_size = sizeof sink;
  sink.context = &declared;
  sink.site = [](void* context, const fv_attention_site* site, int64_t runs) {
    static_cast<std::vector<DeclaredSite>*>(context)->push_back({std::make_unique<AttentionSiteCopy>(*site), runs});
  };
  sink.component = [](void*, const char*, uint64_t) {};
  sink.peak = [](void*, const char*, uint64_t) {};
  sink.corrected = [](void*, const char*, const char*, const char*, const char*) {};
  sink.cache = [](void*, const fv_cache_session_info*) {};
  pipeline.check(request, sink);
  return declared;
}

inline void expect_same_site(const fv_attention_site& a, const fv_attention_site& b) {
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

/// Checks the calls of a site against its declaration. A text may be shorter than the planned length.
inline void expect_calls_of(const fv_attention_site& site, int64_t runs, const std::vector<ServedCall>& calls) {
  ASSERT_EQ(static_cast<int64_t>(calls.size()), runs);
  const bool fills_lengths = std::string_view(site.role) != FV_ROLE_TEXT_SELF;
  std::map<int32_t, int64_t> of_layer;
  int64_t rows = 0;
  for (const ServedCall& call : calls) {
    ++of_layer[call.layer];
    rows = std::max(rows, call.q[0]);
    EXPECT_EQ(call.q[2], site.query_heads);
    EXPECT_EQ(call.q[3], site.head_size);
    EXPECT_EQ(call.k[2], site.kv_heads);
    EXPECT_TRUE(same_dtype(call.dtype, site.dtype));
    // Causality belongs to the site; masks given as tensors come with each call.
    EXPECT_EQ(call.masks, site.masks & ~uint32_t{FV_MASK_CAUSAL | FV_MASK_FRAME_CAUSAL});
    EXPECT_EQ(call.log_sum_exp, (site.require & FV_REQUIRE_LOG_SUM_EXP) != 0);
    EXPECT_EQ(call.step >= 0, site.steps > 0);
    EXPECT_LT(call.step, std::max(site.steps, 1));
    EXPECT_EQ(static_cast<int64_t>(call.branches.size()), call.step >= 0 ? call.q[0] : 0);
    if (fills_lengths) {
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

/// Asks a pipeline for the sites of a request, runs the request, and compares the calls with the sites, one by one.
/// `service` is the new attention service of the pipeline's host.
inline void expect_calls_as_declared(Pipeline& pipeline, AttentionServiceForTests& service, const Options& request,
                                     const PipelineSink& sink) {
  const std::vector<DeclaredSite> declared = declared_by(pipeline, request);
  pipeline.run(service.host(), request, sink);
  ASSERT_EQ(service.sites().size(), declared.size());
  for (size_t i = 0; i < declared.size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "site " << i << ", " << declared[i].site->get().role);
    expect_same_site(declared[i].site->get(), service.sites()[i]->site->get());
    expect_calls_of(declared[i].site->get(), declared[i].runs, service.sites()[i]->calls);
  }
}

/// A sink that counts the frames of runs.
class CountedFrames {
 public:
  CountedFrames() {
    sink_.struct_size = sizeof sink_;
    sink_.context = this;
    sink_.accept = [](void* context, const fv_pipeline_output* output, fv_text*) -> fv_status {
      if (output->kind == FV_OUTPUT_FRAMES) static_cast<CountedFrames*>(context)->count_ += output->tensor->shape[0];
      return FV_OK;
    };
  }
  CountedFrames(const CountedFrames&) = delete;
  CountedFrames& operator=(const CountedFrames&) = delete;

  PipelineSink sink() const { return PipelineSink(sink_); }
  int64_t count() const { return count_; }

 private:
  fv_pipeline_sink sink_{};
  int64_t count_ = 0;
};

}  // namespace fastvideo::testing
