// A strategy file: the window of every step, layer and head, in FastVideo's JSON layout.
#pragma once

#include <fastvideo/abi.h>

#include <string>
#include <vector>

#include "plugins/attention/common/video/extent.hpp"

namespace fastvideo::sliding_tile {

/// An object with an entry "step_layer_head": [frames, rows, columns], the window in tiles, for every combination.
/// Windows count tiles of 6x8x8 unless "tile": [...] says otherwise. Full windows are as large as the tile grid that
/// the file was made for; "tile_grid": [...] names it, otherwise the grid is the largest size that occurs along each
/// axis.
class Strategy {
 public:
  /// `file` is for messages. Throws Refused with the entry that is wrong or missing.
  Strategy(const fv_value& content, const std::string& file);

  int64_t steps() const { return steps_; }
  int64_t layers() const { return layers_; }
  int64_t heads() const { return heads_; }
  const Extent& tile() const { return tile_; }
  const Extent& tile_grid() const { return tile_grid_; }
  const std::string& file() const { return file_; }

  /// Windows that occur, each once; window_of returns an index into them.
  const std::vector<Extent>& windows() const { return windows_; }
  size_t window_of(int64_t step, int64_t layer, int64_t head) const {
    return places_[static_cast<size_t>((step * layers_ + layer) * heads_ + head)];
  }

  /// How often each of windows() occurs.
  std::vector<int64_t> counts() const;

  /// The step of the file that lies nearest to a step of a run of `steps` steps, where first and last meet.
  int64_t nearest_step(int64_t step, int64_t steps) const;

 private:
  std::string file_;
  int64_t steps_ = 0, layers_ = 0, heads_ = 0;
  Extent tile_, tile_grid_;
  std::vector<Extent> windows_;
  std::vector<uint32_t> places_;
};

}  // namespace fastvideo::sliding_tile
