// The estimate of each stage beside the bytes that LibTorch allocates in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "pipelines/common/testing/counted_memory.hpp"
#include "pipelines/common/testing/declared_sites.hpp"
#include "pipelines/wan/test_run.hpp"
#include "pipelines/wan/wan_pipeline.hpp"

namespace fastvideo::wan {
namespace {

// Attention that takes no memory: its result is the queries. Notes the peak of each stage.
class LeanRun {
 public:
  explicit LeanRun(testing::CountedMemory& memory) : memory_(memory) {
    attention_.struct_size = sizeof attention_;
    attention_.context = this;
    attention_.open = [](void* context, const fv_attention_site* const*, uint32_t count,
                         const fv_attention_binding** bindings, const int64_t**, int64_t* order_count,
                         fv_attention_session**, fv_text*) -> fv_status {
      *order_count = 0;
      for (uint32_t i = 0; i < count; ++i) bindings[i] = &static_cast<LeanRun*>(context)->binding_;
      return FV_OK;
    };
    attention_.prepare = [](void*, const fv_attention_binding*, void*, void*, fv_text*) -> fv_status { return FV_OK; };
    attention_.run = [](void*, const fv_attention_binding*, const fv_attention_args* args, fv_text*) -> fv_status {
      const fv_tensor &q = *args->q, &out = *args->out;
      const int64_t row = q.shape[3] * q.dtype.bits / 8;
      for (int64_t b = 0; b < q.shape[0]; ++b)
        for (int64_t i = 0; i < q.shape[1]; ++i)
          for (int64_t h = 0; h < q.shape[2]; ++h) {
            const auto at = [&](const fv_tensor& t) {
              return static_cast<char*>(t.data) +
                     (b * t.strides[0] + i * t.strides[1] + h * t.strides[2]) * q.dtype.bits / 8;
            };
            std::memcpy(at(out), at(q), static_cast<size_t>(row));
          }
      return FV_OK;
    };
    attention_.close = [](void*, fv_attention_session*) {};
    progress_.struct_size = sizeof progress_;
    progress_.context = this;
    progress_.stage = [](void* context, const char* name, int64_t) {
      auto& self = *static_cast<LeanRun*>(context);
      self.end();
      self.stage_ = name;
    };
    progress_.step = [](void*, int64_t) {};
    progress_.loaded = [](void*, uint64_t, uint64_t) {};
    progress_.cancelled = [](void*) -> int32_t { return 0; };
    info_.struct_size = sizeof info_;
    binding_ = {sizeof binding_, 0, "TEST/lean", &info_, nullptr};
    services_.run = this;
    services_.abi = {sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "0.0.0",
                     [](const fv_services* all, const char* id) -> const void* {
                       const LeanRun& run = *reinterpret_cast<const Services*>(all)->run;
                       if (std::strcmp(id, FV_ATTENTION_SERVICE) == 0) return &run.attention_;
                       return std::strcmp(id, FV_PROGRESS_SERVICE) == 0 ? &run.progress_ : nullptr;
                     }};
  }
  Host host() const { return Host(&services_.abi); }
  /// Ends the current stage.
  void end() {
    if (!stage_.empty()) peaks_[stage_] = std::max<uint64_t>(peaks_[stage_], memory_.peak());
    memory_.begin();
  }
  /// The peak of each stage, over all runs.
  const std::map<std::string, uint64_t>& peaks() const { return peaks_; }

 private:
  struct Services {
    fv_services abi;
    LeanRun* run;
  };
  testing::CountedMemory& memory_;
  fv_attention_service attention_{};
  fv_progress_service progress_{};
  fv_attention_plan_info info_{};
  fv_attention_binding binding_{};
  Services services_{};
  std::string stage_;
  std::map<std::string, uint64_t> peaks_;
};

// The pipeline's estimate of each stage.
std::map<std::string, uint64_t> peaks_of(WanPipeline& pipeline, const Options& request) {
  std::map<std::string, uint64_t> peaks;
  fv_pipeline_plan_sink sink{};
  sink.struct_size = sizeof sink;
  sink.context = &peaks;
  sink.site = [](void*, const fv_attention_site*, int64_t) {};
  sink.component = [](void*, const char*, uint64_t) {};
  sink.peak = [](void* context, const char* name, uint64_t bytes) {
    (*static_cast<std::map<std::string, uint64_t>*>(context))[name] = bytes;
  };
  sink.cache = [](void*, const fv_cache_session_info*) {};
  pipeline.check(request, sink);
  return peaks;
}

// The embedded model's weights are stored in another type than they are computed in: none of them stay mapped.
TEST(WanMemory, EstimatesAreAtMostATenthAboveWhatIsAllocated) {
  struct Case {
    double guidance;
    int64_t height, width, frames;
    const char* offload;
    std::vector<std::string> later;
  };
  std::string words;  // more tokens than are read
  for (int i = 0; i < 5; ++i) words += "a red circle moves right over a blue background and a green square moves left ";
  for (const Case& one : {Case{3.0, 32, 48, 9, "all", {}}, Case{1.0, 80, 112, 17, "all", {}},
                          Case{3.0, 32, 48, 9, "text", {words + "again", words + "and again"}}}) {
    SCOPED_TRACE(::testing::Message() << one.height << " x " << one.width << ", " << one.frames << " frames, offload "
                                      << one.offload);
    testing::Parameters parameters = small_video(one.guidance);
    parameters.set("height", one.height).set("width", one.width).set("num_frames", one.frames);
    parameters.set("prompt", words.c_str()).set("negative_prompt", (words + "not").c_str());
    parameters.set("offload", one.offload);
    if (!one.later.empty()) parameters.set("later_prompts", one.later);
    testing::CountedMemory memory;
    LeanRun run(memory);
    {
      WanPipeline pipeline(run.host(), FASTVIDEO_SOURCE_DIR "/models/shapes");
      const std::map<std::string, uint64_t> estimated = peaks_of(pipeline, parameters.options());
      testing::CountedFrames frames;
      // If more runs follow, the estimate is the peak over all runs: the second run finds the components of the first
      // loaded.
      pipeline.run(run.host(), parameters.options(), frames.sink());
      if (!one.later.empty()) pipeline.run(run.host(), parameters.options(), frames.sink());
      run.end();
      for (const auto& [stage, bytes] : estimated) {
        ASSERT_TRUE(run.peaks().contains(stage)) << stage;
        const auto allocated = static_cast<double>(run.peaks().at(stage));
        EXPECT_GE(static_cast<double>(bytes), allocated) << stage;
        EXPECT_LE(static_cast<double>(bytes), 1.1 * allocated) << stage;
      }
    }
  }
}

}  // namespace
}  // namespace fastvideo::wan
