#include "host/run/video_sink.hpp"

#include "host/media/no_frames.hpp"
#include "host/media/video_writer.hpp"

#include <gtest/gtest.h>

#include <fastvideo/core.hpp>

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

// The bytes of a y4m file of 2 x 1 pixels: a header, then FRAME and the planes Y, U, V.
struct Video {
  std::unique_ptr<VideoWriter> writer;
  VideoSink sink;
  TextBuffer text;

  explicit Video(const std::filesystem::path& file) : writer(make_video_writer(file)), sink(*writer) {}

  fv_status announce(int64_t frames) {
    fv_pipeline_output output{};
    output.struct_size = sizeof output;
    output.kind = FV_OUTPUT_VIDEO;
    output.width = 2;
    output.height = 1;
    output.frame_count = frames;
    output.fps_numerator = 8;
    output.fps_denominator = 1;
    return give(output);
  }
  fv_status frames(const fv_tensor& tensor) {
    fv_pipeline_output output{};
    output.struct_size = sizeof output;
    output.kind = FV_OUTPUT_FRAMES;
    output.tensor = &tensor;
    return give(output);
  }
  fv_status give(const fv_pipeline_output& output) {
    return sink.get().accept(sink.get().context, &output, text.get());
  }
};

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(VideoSink, TakesFramesInAnyStrides) {
  const test::TemporaryFolder folder;
  // Two frames of two pixels: [f][x][c] = 100 f + 30 x + c.
  std::vector<uint8_t> packed, planes(64);
  int64_t shape[4] = {2, 1, 2, 3};
  int64_t contiguous[4] = {6, 6, 3, 1};
  int64_t planar[4] = {32, 32, 1, 8};  // a plane for each channel, rows 8 bytes apart
  for (int64_t f = 0; f < 2; ++f)
    for (int64_t x = 0; x < 2; ++x)
      for (int64_t c = 0; c < 3; ++c) {
        packed.push_back(static_cast<uint8_t>(100 * f + 30 * x + c));
        planes[static_cast<size_t>(32 * f + x + 8 * c)] = packed.back();
      }
  const fv_tensor first{packed.data(), {FV_DEVICE_CPU, 0}, 4, {FV_UINT, 8, 1}, shape, contiguous, 0};
  const fv_tensor second{planes.data(), {FV_DEVICE_CPU, 0}, 4, {FV_UINT, 8, 1}, shape, planar, 0};
  for (const auto& [name, tensor] : {std::pair{"a.y4m", &first}, std::pair{"b.y4m", &second}}) {
    Video video(folder.path() / name);
    ASSERT_EQ(video.announce(2), FV_OK);
    ASSERT_EQ(video.frames(*tensor), FV_OK) << video.text.str();
    video.sink.finish();
  }
  EXPECT_EQ(bytes_of(folder.path() / "a.y4m"), bytes_of(folder.path() / "b.y4m"));
}

TEST(VideoSink, ReadsFromTheByteOffset) {
  const test::TemporaryFolder folder;
  std::vector<uint8_t> bytes{0, 0, 10, 20, 30, 40, 50, 60};
  int64_t shape[4] = {1, 1, 2, 3};
  int64_t strides[4] = {6, 6, 3, 1};
  const fv_tensor shifted{bytes.data(), {FV_DEVICE_CPU, 0}, 4, {FV_UINT, 8, 1}, shape, strides, 2};
  const fv_tensor plain{bytes.data() + 2, {FV_DEVICE_CPU, 0}, 4, {FV_UINT, 8, 1}, shape, strides, 0};
  for (const auto& [name, tensor] : {std::pair{"a.y4m", &shifted}, std::pair{"b.y4m", &plain}}) {
    Video video(folder.path() / name);
    ASSERT_EQ(video.announce(1), FV_OK);
    ASSERT_EQ(video.frames(*tensor), FV_OK);
    video.sink.finish();
  }
  EXPECT_EQ(bytes_of(folder.path() / "a.y4m"), bytes_of(folder.path() / "b.y4m"));
}

TEST(VideoSink, PassesOverWhatItDoesNotKnow) {
  const test::TemporaryFolder folder;
  Video video(folder.path() / "a.y4m");
  fv_pipeline_output other{};
  other.struct_size = sizeof other;
  for (const uint32_t kind : {uint32_t{FV_OUTPUT_LATENTS}, uint32_t{99}}) {
    other.kind = kind;
    EXPECT_EQ(video.give(other), FV_OK);
  }
  EXPECT_THROW(video.sink.finish(), std::runtime_error);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.y4m"));
}

TEST(VideoSink, BadAnnouncementsAndTensorsFail) {
  const test::TemporaryFolder folder;
  Video none(folder.path() / "a.y4m");
  EXPECT_EQ(none.announce(0), FV_FAILED);
  EXPECT_TRUE(test::contains(none.text.str(), "a video of 0 frames of 2x1 at 8/1"));
  EXPECT_NE(none.sink.failure(), nullptr);

  Video twice(folder.path() / "b.y4m");
  ASSERT_EQ(twice.announce(1), FV_OK);
  EXPECT_EQ(twice.announce(1), FV_FAILED);

  std::vector<uint8_t> bytes(64);
  int64_t shape[4] = {1, 1, 2, 3};
  int64_t strides[4] = {6, 6, 3, 1};
  const fv_tensor good{bytes.data(), {FV_DEVICE_CPU, 0}, 4, {FV_UINT, 8, 1}, shape, strides, 0};
  for (const int which : {0, 1, 2, 3}) {
    Video video(folder.path() / "c.y4m");
    ASSERT_EQ(video.announce(1), FV_OK);
    fv_tensor bad = good;
    if (which == 0) bad.device.type = FV_DEVICE_CUDA;
    if (which == 1) bad.dtype = {FV_FLOAT, 32, 1};
    if (which == 2) bad.ndim = 3;
    if (which == 3) shape[3] = 4;
    EXPECT_EQ(video.frames(bad), FV_FAILED) << which;
    shape[3] = 3;
  }
}

// Asks for a preview of every step, and keeps the last.
class Previewed final : public FrameSink {
 public:
  void begin(const VideoFormat&) override {}
  void write(std::span<const uint8_t>) override {}
  void finish() override {}
  int preview_every() const override { return 1; }
  void preview(const PreviewFormat& format, std::span<const uint8_t> frames) override {
    format_ = format;
    bytes_.assign(frames.begin(), frames.end());
  }
  PreviewFormat format_;
  std::vector<uint8_t> bytes_;
};

TEST(VideoSink, PassesOnPreviewsThatWereAskedForBeforeTheVideo) {
  Previewed frames;
  VideoSink sink(frames);
  EXPECT_EQ(sink.get().preview_every, 1);
  std::vector<uint8_t> bytes(64);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i);
  int64_t shape[4] = {2, 1, 2, 3}, planar[4] = {16, 16, 1, 4};
  fv_tensor tensor{bytes.data(), {FV_DEVICE_CPU, 0}, 4, {FV_UINT, 8, 1}, shape, planar, 0};
  fv_pipeline_output output{};
  output.struct_size = sizeof output;
  output.kind = FV_OUTPUT_PREVIEW;
  output.tensor = &tensor;
  TextBuffer text;
  const auto give = [&](VideoSink& to) { return to.get().accept(to.get().context, &output, text.get()); };
  ASSERT_EQ(give(sink), FV_OK) << text.str();
  EXPECT_EQ(frames.format_.width, 2);
  EXPECT_EQ(frames.format_.height, 1);
  EXPECT_EQ(frames.format_.frame_count, 2);
  EXPECT_EQ(frames.bytes_, (std::vector<uint8_t>{0, 4, 8, 1, 5, 9, 16, 20, 24, 17, 21, 25}));

  for (const int64_t size : {int64_t{0}, int64_t{-1}, int64_t{1} << 15, int64_t{1} << 62}) {
    shape[1] = size;
    EXPECT_EQ(give(sink), FV_FAILED) << size;
    EXPECT_TRUE(test::contains(text.str(), "as a preview, which is uint8 [frames, height, width, 3] on the CPU"));
  }
  shape[1] = 1;
  tensor.dtype = {FV_FLOAT, 32, 1};
  EXPECT_EQ(give(sink), FV_FAILED);
  tensor.dtype = {FV_UINT, 8, 1};
  output.tensor = nullptr;
  EXPECT_EQ(give(sink), FV_FAILED);
  output.tensor = &tensor;

  NoFrames nobody;
  VideoSink unasked(nobody);
  EXPECT_EQ(unasked.get().preview_every, 0);
  EXPECT_EQ(give(unasked), FV_OK);

  fv_pipeline_output video{};
  video.struct_size = sizeof video;
  video.kind = FV_OUTPUT_VIDEO;
  video.width = video.height = video.frame_count = video.fps_numerator = video.fps_denominator = 1;
  ASSERT_EQ(sink.get().accept(sink.get().context, &video, text.get()), FV_OK);
  EXPECT_EQ(give(sink), FV_FAILED);
  EXPECT_TRUE(test::contains(text.str(), "a preview after it announced the video"));
}

}  // namespace
}  // namespace fastvideo::host
