// Loading reports progress and can be cancelled, and a cancelled run leaves a pipeline that works.
#include <gtest/gtest.h>

#include <string>

#include "pipelines/common/testing/declared_sites.hpp"
#include "pipelines/wan/test_run.hpp"
#include "pipelines/wan/wan_pipeline.hpp"

namespace fastvideo::wan {
namespace {

// The progress of a run that is stopped in a stage.
class StoppingProgress {
 public:
  StoppingProgress() {
    service_.struct_size = sizeof service_;
    service_.context = this;
    service_.stage = [](void* context, const char* name, int64_t) {
      static_cast<StoppingProgress*>(context)->stage_ = name;
    };
    service_.step = [](void*, int64_t) {};
    service_.loaded = [](void* context, uint64_t done, uint64_t all) {
      auto& self = *static_cast<StoppingProgress*>(context);
      self.loaded_[self.stage_] = done;
      self.all_[self.stage_] = all;
    };
    service_.cancelled = [](void* context) -> int32_t {
      auto& self = *static_cast<StoppingProgress*>(context);
      return self.stage_ == self.stop_in ? 1 : 0;
    };
  }

  const fv_progress_service* service() const { return &service_; }
  const std::string& stage() const { return stage_; }
  uint64_t all_of(const std::string& stage) const { return all_.at(stage); }
  uint64_t loaded_of(const std::string& stage) const { return loaded_.at(stage); }
  bool has_loaded(const std::string& stage) const { return loaded_.count(stage) != 0; }
  void forget() {
    stop_in.clear();
    all_.clear();
    loaded_.clear();
  }

  std::string stop_in;  ///< empty: nowhere

 private:
  fv_progress_service service_{};
  std::string stage_;
  std::map<std::string, uint64_t> all_, loaded_;
};

TEST(WanLoading, ShowsHowFarItIsAndHearsAStop) {
  const testing::Parameters parameters = small_video(1.0);
  StoppingProgress progress;
  testing::AttentionServiceForTests service(progress.service());
  WanPipeline pipeline(service.host(), FASTVIDEO_SOURCE_DIR "/models/shapes");
  testing::CountedFrames frames;
  for (const char* stage : {"load text encoder", "load transformer", "load VAE"}) {
    SCOPED_TRACE(stage);
    progress.stop_in = stage;
    EXPECT_THROW(pipeline.run(service.host(), parameters.options(), frames.sink()), Cancelled);
    EXPECT_EQ(progress.stage(), stage);
    EXPECT_EQ(frames.count(), 0);
  }
  progress.stop_in.clear();
  pipeline.run(service.host(), parameters.options(), frames.sink());
  EXPECT_EQ(frames.count(), 9);
  for (const char* stage : {"load text encoder", "load transformer", "load VAE"}) {
    EXPECT_GT(progress.all_of(stage), 1u << 20) << stage;
    EXPECT_EQ(progress.loaded_of(stage), progress.all_of(stage)) << stage;
  }
}

// As after a whole run, components that are not kept are freed.
TEST(WanLoading, ARunThatWasStoppedKeepsWhatAWholeOneKeeps) {
  for (const auto& [offload, stays] : {std::pair{"auto", false}, {"none", true}}) {
    SCOPED_TRACE(offload);
    testing::Parameters parameters = small_video(1.0);
    parameters.set("offload", offload);
    StoppingProgress progress;
    testing::AttentionServiceForTests service(progress.service());
    WanPipeline pipeline(service.host(), FASTVIDEO_SOURCE_DIR "/models/shapes");
    testing::CountedFrames frames;
    progress.stop_in = "denoise";
    EXPECT_THROW(pipeline.run(service.host(), parameters.options(), frames.sink()), Cancelled);
    EXPECT_TRUE(progress.has_loaded("load transformer"));
    progress.forget();
    pipeline.run(service.host(), parameters.options(), frames.sink());
    EXPECT_EQ(progress.has_loaded("load transformer"), !stays);
  }
}

}  // namespace
}  // namespace fastvideo::wan
