#include "tools/bench/side_by_side.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "host/media/video_writer.hpp"
#include "tools/bench/bitmap_font.hpp"
#include "tools/bench/report.hpp"

namespace fastvideo::host {
namespace {

constexpr int kGap = 4;  // pixels between cells

// One picture, RGB.
class Canvas {
 public:
  Canvas(int width, int height)
      : width_(width), pixels_(size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(height), 16) {}

  const std::vector<uint8_t>& pixels() const { return pixels_; }

  void frame(int left, int top, const Clip& clip, int64_t number) {
    const size_t row = size_t{3} * static_cast<size_t>(clip.format.width);
    const auto height = static_cast<size_t>(clip.format.height);
    const uint8_t* first = clip.pixels.data() + static_cast<size_t>(number) * row * height;
    for (size_t y = 0; y < height; ++y) std::copy_n(first + y * row, row, at(left, top + static_cast<int>(y)));
  }

  /// Cut to `room` pixels.
  void words(int left, int top, const std::string& text, int scale, int room) {
    const int step = (kGlyphWidth + 1) * scale;
    for (size_t i = 0; i < text.size() && (static_cast<int>(i) + 1) * step <= room; ++i)
      character(left + static_cast<int>(i) * step, top, text[i], scale);
  }

 private:
  uint8_t* at(int x, int y) {
    return pixels_.data() + 3 * (static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x));
  }

  void character(int left, int top, char which, int scale) {
    const auto rows = glyph(which);
    for (int y = 0; y < kGlyphHeight * scale; ++y)
      for (int x = 0; x < kGlyphWidth * scale; ++x)
        if ((rows[static_cast<size_t>(y / scale)] >> (kGlyphWidth - 1 - x / scale) & 1) != 0)
          std::fill_n(at(left + x, top + y), 3, uint8_t{235});
  }

  int width_;
  std::vector<uint8_t> pixels_;
};

struct Cell {
  const Clip* clip;
  std::vector<std::string> label;
};

int round_up_to_even(int number) { return number + number % 2; }

}  // namespace

std::vector<std::string> label_of(const BenchResult& result, const BenchOutcome& outcome) {
  const SettingFigures figures = figures_of(result, outcome);
  if (&outcome == &result.reference()) return {outcome.name, "exact run"};
  const auto& speed_up = figures.main_stage().speed_up;
  std::string line = speed_up ? speed_up_text(*speed_up) : "";
  if (figures.psnr) line += "  " + psnr_text(*figures.psnr);
  return {outcome.name, line};
}

void write_side_by_side(const BenchResult& result, const std::filesystem::path& file, const CancelToken& cancel) {
  std::vector<Cell> cells;
  for (const BenchOutcome& outcome : result.outcomes)
    if (!outcome.clip.pixels.empty() && !outcome.runs.empty())
      cells.push_back({&outcome.clip, label_of(result, outcome)});
  if (cells.empty()) throw std::runtime_error("no setting gave a clip: there is nothing to show side by side");

  const VideoFormat& one = cells.front().clip->format;
  const auto columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(cells.size()))));
  const int rows = (static_cast<int>(cells.size()) + columns - 1) / columns;
  const int scale = std::max(1, one.width / 300), line = (kGlyphHeight + 3) * scale, label = 2 * line + kGap;
  const int cell_width = one.width + kGap, cell_height = label + one.height + kGap;
  VideoFormat format = one;
  format.width = round_up_to_even(columns * cell_width);
  format.height = round_up_to_even(rows * cell_height);

  const auto writer = make_video_writer(file, {{}, &cancel});
  writer->begin(format);
  for (int64_t number = 0; number < one.frame_count; ++number) {
    Canvas canvas(format.width, format.height);
    for (size_t i = 0; i < cells.size(); ++i) {
      const int left = static_cast<int>(i) % columns * cell_width + kGap / 2;
      const int top = static_cast<int>(i) / columns * cell_height + kGap;
      for (size_t l = 0; l < cells[i].label.size(); ++l)
        canvas.words(left, top + static_cast<int>(l) * line, cells[i].label[l], scale, one.width);
      canvas.frame(left, top + label - kGap, *cells[i].clip, number);
    }
    writer->write(canvas.pixels());
  }
  writer->finish();
}

}  // namespace fastvideo::host
