#include <algorithm>
#include <cmath>
#include <map>

#include "tools/bench/report.hpp"

namespace fastvideo::host {
namespace {

constexpr double kWidth = 760, kHeight = 480, kLeft = 70, kRight = 30, kTop = 50, kBottom = 60;
constexpr const char* kColours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b"};

struct Point {
  std::string name, family;
  double speed_up, psnr;  // psnr is infinite for equal pictures
};

// "TORCH_SDPA teacache:0.05" is of the family "TORCH_SDPA teacache".
std::string family_of(const std::string& name) {
  std::string family;
  bool in_options = false;
  for (const char c : name) {
    if (c == ':') in_options = true;
    if (c == ' ') in_options = false;
    if (!in_options) family += c;
  }
  return family;
}

std::vector<Point> points_of(const BenchResult& result) {
  std::vector<Point> points;
  for (const BenchOutcome& outcome : result.outcomes) {
    if (outcome.runs.empty()) continue;
    const SettingFigures figures = figures_of(result, outcome);
    if (figures.psnr && figures.main_stage().speed_up)
      points.push_back({outcome.name, family_of(outcome.name), *figures.main_stage().speed_up, *figures.psnr});
  }
  return points;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += ' ';  // not allowed in XML
    else
      out += c;
  }
  return out;
}

// A scale of round numbers over [least, most].
struct Axis {
  double from, to, step;

  Axis(double least, double most) {
    const double span = std::max(most - least, 1e-3);
    const double magnitude = std::pow(10, std::floor(std::log10(span / 4)));
    step = magnitude;
    for (const double factor : {1.0, 2.0, 5.0, 10.0})
      if (span / (factor * magnitude) <= 8) {
        step = factor * magnitude;
        break;
      }
    from = std::floor(least / step) * step;
    to = std::ceil(most / step) * step;
    if (to <= from) to = from + step;
  }
  double share(double value) const { return (value - from) / (to - from); }
  int digits() const { return std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))); }
};

class Svg {
 public:
  Svg() {
    text_ =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 480\" font-family=\"sans-serif\" "
        "font-size=\"12\">\n<rect width=\"760\" height=\"480\" fill=\"white\"/>\n";
  }
  void line(double x1, double y1, double x2, double y2, const std::string& colour) {
    text_ += "<line x1=\"" + fixed(x1, 1) + "\" y1=\"" + fixed(y1, 1) + "\" x2=\"" + fixed(x2, 1) + "\" y2=\"" +
             fixed(y2, 1) + "\" stroke=\"" + colour + "\"/>\n";
  }
  void circle(double x, double y, const std::string& colour) {
    text_ += "<circle cx=\"" + fixed(x, 1) + "\" cy=\"" + fixed(y, 1) + "\" r=\"4\" fill=\"" + colour + "\"/>\n";
  }
  void words(double x, double y, const std::string& anchor, const std::string& what, const std::string& more = "") {
    text_ += "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" text-anchor=\"" + anchor + "\"" + more + ">" +
             escaped(what) + "</text>\n";
  }
  std::string finish() { return text_ + "</svg>\n"; }

 private:
  std::string text_;
};

}  // namespace

std::string bench_plot(const BenchResult& result) {
  const std::vector<Point> points = points_of(result);
  double fastest = 1, slowest = 1, best = 0, worst = 1e9;
  bool has_finite = false;
  for (const Point& point : points) {
    fastest = std::max(fastest, point.speed_up);
    slowest = std::min(slowest, point.speed_up);
    if (std::isinf(point.psnr)) continue;
    has_finite = true;
    best = std::max(best, point.psnr);
    worst = std::min(worst, point.psnr);
  }
  // The scale is never so fine that noise looks like a difference.
  const Axis speed(slowest, std::max(fastest, slowest + 0.5));
  const Axis quality(has_finite ? worst - 1 : 0, has_finite ? best + 1 : 10);
  const double top = kTop + 25;  // above it: identical pictures
  const auto x_of = [&](double value) { return kLeft + speed.share(value) * (kWidth - kLeft - kRight); };
  const auto y_of = [&](double value) {
    return std::isinf(value) ? kTop : kHeight - kBottom - quality.share(value) * (kHeight - kBottom - top);
  };

  Svg svg;
  svg.words(kWidth / 2, 22, "middle", result.model + " on " + result.device);
  for (double value = speed.from; value <= speed.to + speed.step / 2; value += speed.step) {
    svg.line(x_of(value), kTop, x_of(value), kHeight - kBottom, "#e5e5e5");
    svg.words(x_of(value), kHeight - kBottom + 18, "middle", fixed(value, speed.digits()));
  }
  for (double value = quality.from; value <= quality.to + quality.step / 2; value += quality.step) {
    svg.line(kLeft, y_of(value), kWidth - kRight, y_of(value), "#e5e5e5");
    svg.words(kLeft - 8, y_of(value) + 4, "end", fixed(value, quality.digits()));
  }
  svg.line(kLeft, kTop, kWidth - kRight, kTop, "#e5e5e5");
  svg.words(kLeft - 8, kTop + 4, "end", "identical");
  svg.line(kLeft, kTop, kLeft, kHeight - kBottom, "black");
  svg.line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "black");
  const std::string stage =
      points.empty() ? std::string(kInAll) : figures_of(result, result.reference()).main_stage().name;
  svg.words((kLeft + kWidth - kRight) / 2, kHeight - 16, "middle", "speed-up against the exact run (" + stage + ")");
  svg.words(18, kHeight / 2, "middle", "PSNR against the exact run (dB)",
            " transform=\"rotate(-90 18 " + fixed(kHeight / 2, 0) + ")\"");

  std::map<std::string, std::vector<Point>> families;
  for (const Point& point : points) families[point.family].push_back(point);
  size_t number = 0;
  for (auto& [family, members] : families) {
    const std::string colour = kColours[number++ % std::size(kColours)];
    std::sort(members.begin(), members.end(), [](const Point& a, const Point& b) { return a.speed_up < b.speed_up; });
    for (size_t i = 0; i < members.size(); ++i) {
      const Point& p = members[i];
      if (i > 0)
        svg.line(x_of(members[i - 1].speed_up), y_of(members[i - 1].psnr), x_of(p.speed_up), y_of(p.psnr), colour);
      svg.circle(x_of(p.speed_up), y_of(p.psnr), colour);
      const bool is_right = speed.share(p.speed_up) > 0.7;
      svg.words(x_of(p.speed_up) + (is_right ? -7 : 7), y_of(p.psnr) - 6, is_right ? "end" : "start", p.name);
    }
  }
  return svg.finish();
}

}  // namespace fastvideo::host
