// What the host says a run will hold beside what LibTorch allocates in it, stage by stage: the embedded model, whose
// weights are stored in another type than they are computed in, so that nothing of them is mapped.
#include <gtest/gtest.h>

#include <string>

#include "pipelines/common/testing/counted_memory.hpp"
#include "tests/memory_ledger/installed_run.hpp"
#include "tests/support/temporary_folder.hpp"

namespace fastvideo::host {
namespace {

class MemoryLedgerTest : public ::testing::Test {
 protected:
  // Runs the embedded model; bytes of slots and signals.
  uint64_t expect_true(const SettingTexts& caching) {
    std::string words;  // more tokens than are read
    for (int i = 0; i < 5; ++i) words += "a red circle moves right over a blue background, a green square moves left, ";
    SettingTexts wanted = {{"request.model_path", FASTVIDEO_SOURCE_DIR "/models/shapes"},
                           {"request.prompt", words},
                           {"request.negative_prompt", words + "not"},
                           {"request.height", "128"},
                           {"request.width", "192"},
                           {"request.num_frames", "9"},
                           {"request.num_inference_steps", "8"},
                           {"request.max_sequence_length", "64"},
                           {"request.guidance_scale", "3.0"},
                           {"request.seed", "1"},
                           {"run.threads", "1"}};
    wanted.insert(caching.begin(), caching.end());
    const Settings settings = installed_.settings(wanted);
    const CancelToken cancel;
    testing::CountedMemory memory;
    StagePeaks peaks([&] { return memory.peak(); }, [&] { memory.begin(); });
    LoadedModel model(settings, installed_.catalog(), services_of_test(settings));
    CheckedRequest request(model, settings);
    const RunResult result = run(request, &peaks, nowhere(), cancel);
    EXPECT_EQ(result.passes_reused > 0, !caching.empty());
    const uint64_t kept = request.memory().cache_slots + request.memory().cache_signals;
    EXPECT_EQ(request.memory().stages.size(), 3u);
    for (const PipelineEstimate::Bytes& stage : request.memory().stages) {
      const auto said = static_cast<double>(stage.bytes), held = static_cast<double>(peaks.peaks().at(stage.name));
      EXPECT_GE(said, held) << stage.name;
      EXPECT_LE(said, 1.1 * held) << stage.name;
      if (stage.name == "denoise" && kept > 0) {
        EXPECT_LT(said - static_cast<double>(kept), held) << "what caching keeps does not show";
      }
    }
    return kept;
  }

  const Installed installed_{FASTVIDEO_LIBRARY};
  const test::TemporaryFolder folder_;
};

// The video's stream: 3 latent frames of 8 x 12 tokens, 256 channels.
constexpr uint64_t kStream = uint64_t{3} * 8 * 12 * 256 * sizeof(float);

TEST_F(MemoryLedgerTest, WithoutCaching) { EXPECT_EQ(expect_true({}), 0u); }

TEST_F(MemoryLedgerTest, TeaCacheKeepsAResidualAndASignal) {
  const std::string rows = folder_
                               .write("rows.toml",
                                      "[[model]]\nmodel = \"wan-t2v-8x256\"\nuse_ret_steps = false\n"
                                      "signal = \"block.0.modulated\"\ncoefficients = [0, 0, 0, 1, 0]\n")
                               .string();
  const uint64_t kept = expect_true({{"cache.strategy", "teacache"},
                                     {"cache.teacache.threshold", "0.4"},
                                     {"cache.teacache.coefficients_file", rows}});
  EXPECT_EQ(kept, (2 + 1) * kStream + (2 * 2 + 1) * kStream);
}

TEST_F(MemoryLedgerTest, TaylorSeerKeepsAsManyOutputsAsItsOrderAsks) {
  EXPECT_EQ(expect_true({{"cache.strategy", "taylorseer"}, {"cache.taylorseer.max_order", "2"}}),
            (2 * 3 + 1) * kStream);
}

}  // namespace
}  // namespace fastvideo::host
