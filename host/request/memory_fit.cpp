#include "host/request/memory_fit.hpp"

#include <algorithm>
#include <optional>

#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

constexpr int64_t kStrides = 64;  // numbers below one that is impossible in which a possible one is looked for

class Search {
 public:
  Search(const Item& pipeline, const std::vector<ItemSetting>& parameters, const Fits& fits)
      : pipeline_(pipeline), parameters_(parameters), fits_(fits) {}

  std::vector<std::string> results() const {
    const auto frames = value_of("num_frames"), height = value_of("height"), width = value_of("width");
    std::vector<std::string> found;
    if (frames)
      if (const auto shorter = most_frames(*frames - 1, {})) found.push_back(text(*shorter));
    if (!height || !width) return found;
    const auto smaller = sizes(*height, *width);
    const auto first = std::find_if(smaller.begin(), smaller.end(), [&](const Changes& to) { return fit(to) == true; });
    if (first != smaller.end()) found.push_back(text(*first));
    if (!found.empty() || !frames) return found;
    for (const Changes& size : smaller)
      if (const auto both = most_frames(*frames - 1, size)) return {text(*both)};
    return found;
  }

 private:
  std::optional<int64_t> value_of(const std::string& name) const {
    for (const ItemSetting& one : parameters_)
      if (one.name == name && one.setting.value.type() == FV_VALUE_INT) return one.setting.value.integer();
    return std::nullopt;
  }

  // Nothing if it is impossible.
  std::optional<bool> fit(const Changes& to) const {
    try {
      return fits_(to);
    } catch (const RequestError&) {
      return std::nullopt;
    }
  }

  // The most frames up to `most` that are possible and fit, with the size. More frames never take less memory.
  std::optional<Changes> most_frames(int64_t most, Changes size) const {
    size.emplace_back("num_frames", 0);
    int64_t& frames = size.back().second;
    // The next number from n downwards that is possible, left in `frames`, and whether it fits.
    const auto next_possible = [&](int64_t n) -> std::optional<bool> {
      for (frames = n; frames > std::max<int64_t>(0, n - kStrides); --frames)
        if (const auto answer = fit(size)) return answer;
      return std::nullopt;
    };
    int64_t low = 0, high = most;
    while (low < high) {
      const int64_t middle = low + (high - low + 1) / 2;
      if (next_possible(middle).value_or(true))
        low = middle;
      else
        high = middle - 1;
    }
    return next_possible(low) ? std::optional(size) : std::nullopt;
  }

  // Shapes like height x width, from three quarters down; sides are multiples of 16, which most models ask for.
  static std::vector<Changes> sizes(int64_t height, int64_t width) {
    std::vector<Changes> all;
    for (const double factor : {0.75, 0.5, 0.375, 0.25, 0.125, 0.0625, 0.03125}) {
      const auto side = [&](int64_t of) {
        return std::max<int64_t>(16, static_cast<int64_t>(factor * static_cast<double>(of)) / 16 * 16);
      };
      if (side(height) < height || side(width) < width)
        all.push_back({{"height", side(height)}, {"width", side(width)}});
    }
    return all;
  }

  std::string text(const Changes& to) const {
    return joined(to, " ", [&](const auto& change) {
      const OptionSpec* option = pipeline_.option(change.first);
      const bool has_flag = option != nullptr && !option->flag.empty();
      return (has_flag ? option->flag + " " : "--set request." + change.first + "=") + std::to_string(change.second);
    });
  }

  const Item& pipeline_;
  const std::vector<ItemSetting>& parameters_;
  const Fits& fits_;
};

}  // namespace

std::vector<std::string> smaller_requests(const Item& pipeline, const std::vector<ItemSetting>& parameters,
                                          const Fits& fits) {
  return Search(pipeline, parameters, fits).results();
}

}  // namespace fastvideo::host
