#include "plugins/attention/sliding_tile_attn/pattern.hpp"

namespace fastvideo::sliding_tile {

Pattern::Pattern(const TileGrid& tiles, TokensBeside beside, const Extent& window) {
  const int64_t behind = beside.before + tiles.grid().volume(), all = behind + beside.after;
  std::vector<size_t> run_counts;  // spans are made when runs_ has stopped to grow
  const auto add = [&](int64_t first, int64_t count, std::span<const KeyRun> keys) {
    if (count == 0) return;
    ranges_.push_back({first, count, {}});
    run_counts.push_back(keys.size());
    runs_.insert(runs_.end(), keys.begin(), keys.end());
  };
  const KeyRun everything{0, all};
  if (covers(tiles, window)) {
    add(0, all, {&everything, 1});
  } else {
    add(0, beside.before, {&everything, 1});
    for (int64_t i = 0; i < tiles.size(); ++i)
      add(beside.before + tiles.start(i), tiles.tokens(i), key_runs(tiles, beside, window, i));
    add(behind, beside.after, {&everything, 1});
  }
  const KeyRun* next = runs_.data();
  for (size_t i = 0; i < ranges_.size(); next += run_counts[i++]) ranges_[i].keys = {next, run_counts[i]};
}

}  // namespace fastvideo::sliding_tile
