#include "plugins/attention/sliding_tile_attn/sm90/tables.hpp"

#include <algorithm>
#include <cstring>

namespace fastvideo::sliding_tile {
namespace {

using hopper::QueryBlock;

constexpr size_t kAlignment = 256;
constexpr size_t kMostBlocks = size_t{1} << 26;  // of keys half a gigabyte, of queries a whole one

// Tokens that share a list of keys: those before the grid, a tile, those after it.
struct Part {
  int64_t first, count, tile;  // tile: -1 for tokens beside the grid, which see everything
};

std::vector<Part> parts_of(const SitePlan& plan) {
  const TileGrid& tiles = plan.tiles();
  const TokensBeside beside = plan.beside();
  std::vector<Part> parts;
  if (beside.before > 0) parts.push_back({0, beside.before, -1});
  for (int64_t i = 0; i < tiles.size(); ++i) parts.push_back({beside.before + tiles.start(i), tiles.tokens(i), i});
  if (beside.after > 0) parts.push_back({beside.before + tiles.grid().volume(), beside.after, -1});
  return parts;
}

void require_room(size_t blocks) {
  if (blocks > kMostBlocks)
    throw Refused("tiles so small make more than " + std::to_string(kMostBlocks) +
                  " entries of query or key blocks; choose a larger tile");
}

// Key blocks, and where those of some runs lie. Those of equal runs in a row are stored once.
class KeyLists {
 public:
  explicit KeyLists(int width) : width_(width) {}

  /// The place of the runs' blocks: begin, end.
  std::pair<int, int> add(const std::vector<KeyRun>& runs) {
    if (blocks.empty() || runs != before_) {
      begin_ = static_cast<int>(blocks.size());
      for (const KeyRun& run : runs)
        for (int64_t at = 0; at < run.length; at += width_)
          blocks.push_back(
              {static_cast<int>(run.start + at), static_cast<int>(std::min<int64_t>(width_, run.length - at))});
      require_room(blocks.size());
      before_ = runs;
    }
    return {begin_, static_cast<int>(blocks.size())};
  }

  std::vector<hopper::KeyBlock> blocks;

 private:
  int width_, begin_ = 0;
  std::vector<KeyRun> before_;
};

int length(const QueryBlock& block) { return block.keys_end - block.keys_begin; }

}  // namespace

Tables::Tables(const SitePlan& plan, int rows, int width) : plan_(plan) {
  const std::vector<Part> parts = parts_of(plan);
  const std::vector<KeyRun> everything{{0, plan.site().key_length}};
  KeyLists keys(width);
  std::vector<QueryBlock> query_blocks;
  for (const Extent& window : plan.windows()) {
    const size_t first = query_blocks.size();
    const bool all = covers(plan.tiles(), window);
    for (const Part& part : parts) {
      const auto [begin, end] =
          keys.add(part.tile < 0 || all ? everything : key_runs(plan.tiles(), plan.beside(), window, part.tile));
      for (int64_t at = 0; at < part.count; at += rows)
        query_blocks.push_back({static_cast<int>(part.first + at),
                                static_cast<int>(part.first + std::min<int64_t>(at + rows, part.count)), begin, end});
    }
    require_room(query_blocks.size());
    const auto of_window = query_blocks.begin() + static_cast<std::ptrdiff_t>(first);
    std::stable_sort(of_window, query_blocks.end(),
                     [](const QueryBlock& a, const QueryBlock& b) { return length(a) > length(b); });
    int64_t sum = 0;
    for (auto block = of_window; block != query_blocks.end(); ++block) sum += length(*block);
    lengths_.push_back(sum);
    query_block_count_ = static_cast<int>(query_blocks.size() - first);
  }
  counter_ = append(std::vector<unsigned>{0});
  query_blocks_ = append(query_blocks);
  key_blocks_ = append(keys.blocks);
}

template <class T>
size_t Tables::append(const std::vector<T>& items) {
  const size_t offset = (image_.size() + kAlignment - 1) / kAlignment * kAlignment, bytes = items.size() * sizeof(T);
  image_.resize(offset + bytes);
  std::memcpy(image_.data() + offset, items.data(), bytes);
  return offset;
}

Lists Tables::at(void* base, const fv_attention_args& args, int64_t heads) const {
  auto* bytes = static_cast<unsigned char*>(base);
  Lists lists{};
  lists.scheduler.blocks = reinterpret_cast<const QueryBlock*>(bytes + query_blocks_);
  lists.scheduler.count = query_block_count_;
  lists.scheduler.heads = static_cast<int>(heads);
  lists.scheduler.batch = 1;
  lists.scheduler.counter = reinterpret_cast<unsigned*>(bytes + counter_);
  hopper::HeadWindow* order = lists.scheduler.order;
  for (int64_t head = 0; head < heads; ++head)
    order[head] = {static_cast<uint16_t>(head), static_cast<uint16_t>(plan_.window_of(args, head))};
  std::stable_sort(order, order + heads, [&](const hopper::HeadWindow& a, const hopper::HeadWindow& b) {
    return lengths_[a.window] > lengths_[b.window];
  });
  lists.key_blocks = reinterpret_cast<const hopper::KeyBlock*>(bytes + key_blocks_);
  return lists;
}

}  // namespace fastvideo::sliding_tile
