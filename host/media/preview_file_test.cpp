#include "host/media/preview_file.hpp"

#include <gtest/gtest.h>
#include <png.h>

#include <cstring>
#include <string>
#include <vector>

#include "host/config/test_files.hpp"
#include "host/media/no_frames.hpp"

namespace fastvideo::host {
namespace {

using Bytes = std::vector<uint8_t>;

struct Read {
  int width = 0, height = 0;
  Bytes pixels;
};

Read read_png(const std::filesystem::path& file) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_file(&image, file.c_str()), 0) << image.message;
  image.format = PNG_FORMAT_RGB;
  Read read{static_cast<int>(image.width), static_cast<int>(image.height), Bytes(PNG_IMAGE_SIZE(image))};
  EXPECT_NE(png_image_finish_read(&image, nullptr, read.pixels.data(), 0, nullptr), 0) << image.message;
  return read;
}

// The colour of a pixel says which frame, row and column it is of.
Bytes numbered(int frames, int height, int width) {
  Bytes all;
  for (int f = 0; f < frames; ++f)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (const int value : {10 * f, 20 * y, 30 * x}) all.push_back(static_cast<uint8_t>(value));
  return all;
}

TEST(PreviewFile, ShowsFirstMiddleAndLastFrame) {
  const test::TemporaryFolder folder;
  NoFrames frames;
  WithPreviewFile previewed(frames, folder.path() / "p.png", 2);
  EXPECT_EQ(previewed.preview_every(), 2);
  previewed.preview({3, 2, 5}, numbered(5, 2, 3));
  const Read read = read_png(folder.path() / "p.png");
  ASSERT_EQ(read.width, 3 * 3 * 4);
  ASSERT_EQ(read.height, 2 * 4);
  constexpr int kShown[] = {0, 2, 4};
  for (int y = 0; y < read.height; ++y)
    for (int x = 0; x < read.width; ++x) {
      const uint8_t expected[] = {static_cast<uint8_t>(10 * kShown[x / 12]), static_cast<uint8_t>(20 * (y / 4)),
                                  static_cast<uint8_t>(30 * (x % 12 / 4))};
      ASSERT_EQ(std::memcmp(&read.pixels[static_cast<size_t>(3 * (y * read.width + x))], expected, 3), 0)
          << x << ", " << y;
    }
  previewed.preview({1, 1, 1}, numbered(1, 1, 1));
  EXPECT_EQ(read_png(folder.path() / "p.png").width, 4) << "one frame is shown once, and the file is written anew";
  EXPECT_EQ(previewed.count(), 2);
}

TEST(PreviewFile, OneThatCannotBeWrittenDoesNotEndTheVideo) {
  const test::TemporaryFolder folder;
  NoFrames frames;
  WithPreviewFile previewed(frames, folder.path() / "p.png", 1);
  std::filesystem::create_directory(folder.path() / "p.png");
  previewed.preview({1, 1, 1}, numbered(1, 1, 1));
  EXPECT_TRUE(previewed.has_failed());
  std::filesystem::remove(folder.path() / "p.png");
  previewed.preview({1, 1, 1}, numbered(1, 1, 1));
  EXPECT_EQ(previewed.count(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "p.png"));
}

TEST(PreviewFile, IsRefusedWhereItCannotBe) {
  const test::TemporaryFolder folder;
  NoFrames frames;
  EXPECT_THROW(WithPreviewFile(frames, folder.path() / "no folder" / "p.png", 1), std::runtime_error);
}

}  // namespace
}  // namespace fastvideo::host
