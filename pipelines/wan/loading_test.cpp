// Loading shows how far it is and hears a stop, and a run that was stopped leaves a pipeline that works.
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
    service_.stage = [](void* context, const char* name, int64_t steps) {
      auto& self = *static_cast<StoppingProgress*>(context);
      self.stage_ = name;
      self.steps_[name] = steps;
    };
    service_.step = [](void* context, int64_t done) {
      auto& self = *static_cast<StoppingProgress*>(context);
      self.done_[self.stage_] = done;
    };
    service_.cancelled = [](void* context) -> int32_t {
      auto& self = *static_cast<StoppingProgress*>(context);
      return self.stage_ == self.stop_in ? 1 : 0;
    };
  }

  const fv_progress_service* service() const { return &service_; }
  const std::string& stage() const { return stage_; }
  int64_t steps_of(const std::string& stage) const { return steps_.at(stage); }
  int64_t done_of(const std::string& stage) const { return done_.at(stage); }

  std::string stop_in;  ///< empty: nowhere

 private:
  fv_progress_service service_{};
  std::string stage_;
  std::map<std::string, int64_t> steps_, done_;
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
    EXPECT_GT(progress.steps_of(stage), 0) << stage;
    EXPECT_EQ(progress.done_of(stage), progress.steps_of(stage)) << stage;
  }
}

}  // namespace
}  // namespace fastvideo::wan
