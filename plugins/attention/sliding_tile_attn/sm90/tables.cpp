#include "plugins/attention/sliding_tile_attn/sm90/tables.hpp"

#include <algorithm>
#include <cstring>

namespace fastvideo::sliding_tile {
namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kMostKeyBlocks = size_t{1} << 26;  // half a gigabyte

// Tokens that share a list of keys: those before the grid, a tile, those after it.
struct Part {
  int64_t first, count, tile;  // tile: -1 for tokens beside the grid, which see everything
};

std::vector<Part> parts_of(const SitePlan& plan) {
  const TileGrid& tiles = plan.tiles();
  const TokensBeside beside = plan.beside();
  std::vector<Part> parts;  // the longest lists first
  if (beside.before > 0) parts.push_back({0, beside.before, -1});
  if (beside.after > 0) parts.push_back({beside.before + tiles.grid().volume(), beside.after, -1});
  for (int64_t i = 0; i < tiles.size(); ++i) parts.push_back({beside.before + tiles.start(i), tiles.tokens(i), i});
  return parts;
}

// Key blocks and the lists into them. Lists of equal runs in a row are stored once.
class KeyLists {
 public:
  explicit KeyLists(int width) : width_(width) {}

  void add(const std::vector<KeyRun>& runs) {
    if (lists.empty() || runs != before_) {
      const int begin = static_cast<int>(blocks.size());
      for (const KeyRun& run : runs)
        for (int64_t at = 0; at < run.length; at += width_)
          blocks.push_back(
              {static_cast<int>(run.start + at), static_cast<int>(std::min<int64_t>(width_, run.length - at))});
      if (blocks.size() > kMostKeyBlocks)
        throw Refused("tiles so small make more than " + std::to_string(kMostKeyBlocks) +
                      " entries of key blocks; choose a larger tile");
      lists.push_back({begin, static_cast<int>(blocks.size())});
      before_ = runs;
    } else {
      lists.push_back(lists.back());
    }
  }

  std::vector<hopper::KeyBlock> blocks;
  std::vector<hopper::KeyList> lists;

 private:
  int width_;
  std::vector<KeyRun> before_;
};

}  // namespace

Tables::Tables(const SitePlan& plan, int rows, int width) : plan_(plan) {
  const std::vector<Part> parts = parts_of(plan);
  std::vector<hopper::QueryBlock> query_blocks;
  for (size_t i = 0; i < parts.size(); ++i)
    for (int64_t at = 0; at < parts[i].count; at += rows)
      query_blocks.push_back({static_cast<int>(parts[i].first + at),
                              static_cast<int>(parts[i].first + std::min<int64_t>(at + rows, parts[i].count)),
                              static_cast<int>(i)});
  KeyLists keys(width);
  const std::vector<KeyRun> everything{{0, plan.site().key_length}};
  for (const Extent& window : plan.windows())
    for (const Part& part : parts)
      keys.add(part.tile < 0 || covers(plan.tiles(), window)
                   ? everything
                   : key_runs(plan.tiles(), plan.beside(), window, part.tile));
  query_blocks_ = append(query_blocks);
  query_block_count_ = static_cast<int>(query_blocks.size());
  lists_ = append(keys.lists);
  lists_of_window_ = static_cast<int>(parts.size());
  key_blocks_ = append(keys.blocks);
  windows_ = append(plan.window_rows());
}

template <class T>
size_t Tables::append(const std::vector<T>& items) {
  const size_t offset = (image_.size() + kAlignment - 1) / kAlignment * kAlignment, bytes = items.size() * sizeof(T);
  image_.resize(offset + bytes);
  std::memcpy(image_.data() + offset, items.data(), bytes);
  return offset;
}

Lists Tables::at(const void* base, const fv_attention_args& args) const {
  const auto* bytes = static_cast<const unsigned char*>(base);
  return {reinterpret_cast<const hopper::QueryBlock*>(bytes + query_blocks_),
          query_block_count_,
          reinterpret_cast<const hopper::KeyBlock*>(bytes + key_blocks_),
          reinterpret_cast<const hopper::KeyList*>(bytes + lists_),
          lists_of_window_,
          reinterpret_cast<const uint16_t*>(bytes + windows_) + plan_.window_row(args)};
}

}  // namespace fastvideo::sliding_tile
