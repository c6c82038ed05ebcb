#include "plugins/attention/sliding_tile_attn/strategy.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fastvideo/core.hpp>
#include <map>
#include <optional>
#include <string_view>

namespace fastvideo::sliding_tile {
namespace {

using Key = std::array<int64_t, 3>;  // step, layer, head

constexpr size_t kMostWindows = 1024;  // a search for windows has a dozen candidates

// "12_3_0", in canonical form, so that a combination has one name.
std::optional<Key> parse_key(std::string_view name) {
  Key key{};
  const char *at = name.data(), *end = at + name.size();
  for (size_t i = 0; i < 3; ++i) {
    int32_t number = -1;
    const auto [stop, error] = std::from_chars(at, end, number);
    const bool leading_zero = stop - at > 1 && *at == '0';
    if (error != std::errc{} || number < 0 || leading_zero) return std::nullopt;
    if (i < 2 ? stop == end || *stop != '_' : stop != end) return std::nullopt;
    key[i] = number;
    at = stop + 1;
  }
  return key;
}

std::string name_of(const Key& key) {
  return std::to_string(key[0]) + "_" + std::to_string(key[1]) + "_" + std::to_string(key[2]);
}

// Reads three sizes; returns the reason if the entry is no window.
std::optional<std::string> read_extent(const fv_value& value, Extent& extent) {
  if (value.type != FV_VALUE_LIST || value.count != 3) return "is no list of three sizes, such as [3, 3, 3]";
  for (size_t i = 0; i < 3; ++i) {
    const fv_value& size = value.as.items[i];
    if (size.type != FV_VALUE_INT) return "holds what is no whole number";
    if (size.as.integer < 1 || size.as.integer > INT32_MAX)
      return "has the size " + std::to_string(size.as.integer) + "; sizes are from 1 to 2147483647";
    extent[i] = size.as.integer;
  }
  return std::nullopt;
}

}  // namespace

Strategy::Strategy(const fv_value& content, const std::string& file) : file_(file), tile_{{6, 8, 8}} {
  const auto refuse = [&](const std::string& why) { return Refused("strategy file " + file + ": " + why); };
  if (content.type != FV_VALUE_TABLE) throw refuse("is no object of entries \"step_layer_head\": [3, 3, 3]");
  std::map<Key, Extent> entries;
  std::optional<Extent> named_grid;
  Extent largest;
  for (uint32_t i = 0; i < content.count; ++i) {
    const fv_entry& entry = content.as.entries[i];
    const std::string_view name = entry.name;
    Extent extent;
    if (const auto why = read_extent(entry.value, extent)) throw refuse("'" + std::string(name) + "' " + *why);
    if (name == "tile") {
      tile_ = extent;
    } else if (name == "tile_grid") {
      named_grid = extent;
    } else if (const auto key = parse_key(name)) {
      entries.emplace(*key, extent);
      for (size_t a = 0; a < 3; ++a) largest[a] = std::max(largest[a], extent[a]);
    } else {
      throw refuse("'" + std::string(name) +
                   "' is no entry; entries are called step_layer_head, such as 0_0_0, or tile or tile_grid");
    }
  }
  if (entries.empty()) throw refuse("has no entries");
  tile_grid_ = named_grid.value_or(largest);
  Key last{};
  for (const auto& [key, window] : entries) {
    for (size_t a = 0; a < 3; ++a) {
      last[a] = std::max(last[a], key[a]);
      if (window[a] > tile_grid_[a])
        throw refuse("entry " + name_of(key) + " has the window " + to_text(window) + ", larger than the tile grid " +
                     to_text(tile_grid_) + " that the file names");
    }
  }
  steps_ = last[0] + 1;
  layers_ = last[1] + 1;
  heads_ = last[2] + 1;

  // Entries are in order: the first that differs from the one expected shows what is missing.
  Key expected{};
  for (const auto& [key, window] : entries) {
    if (key != expected)
      throw refuse("entry " + name_of(expected) + " is missing; the file goes to step " + std::to_string(last[0]) +
                   ", layer " + std::to_string(last[1]) + ", head " + std::to_string(last[2]) +
                   " and must have every combination");
    const auto at = std::find(windows_.begin(), windows_.end(), window);
    places_.push_back(static_cast<uint32_t>(at - windows_.begin()));
    if (at == windows_.end()) windows_.push_back(window);
    if (windows_.size() > kMostWindows)
      throw refuse("has more than " + std::to_string(kMostWindows) + " different windows");
    for (size_t a = 3; a-- > 0;) {
      if (++expected[a] <= last[a]) break;
      if (a > 0) expected[a] = 0;
    }
  }
  if (expected != Key{steps_, 0, 0}) throw refuse("entry " + name_of(expected) + " is missing");
}

std::vector<int64_t> Strategy::counts() const {
  std::vector<int64_t> counts(windows_.size());
  for (const uint32_t place : places_) ++counts[place];
  return counts;
}

int64_t Strategy::nearest_step(int64_t step, int64_t steps) const {
  if (steps <= 1) return 0;
  return std::llround(static_cast<double>(step) * static_cast<double>(steps_ - 1) / static_cast<double>(steps - 1));
}

}  // namespace fastvideo::sliding_tile
