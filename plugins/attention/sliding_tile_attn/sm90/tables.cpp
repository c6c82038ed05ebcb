#include "plugins/attention/sliding_tile_attn/sm90/tables.hpp"

#include <algorithm>
#include <cstring>

namespace fastvideo::sliding_tile {
namespace {

using hopper::QueryBlock;

constexpr size_t kAlignment = 256;
constexpr size_t kMostBlocks = size_t{1} << 26;  // of keys half a gigabyte, of queries a whole one

// Tokens [first, end) that see the same keys.
struct Part {
  int64_t first, end;
  std::vector<KeyRun> keys;
};

// The sequence under a window. Tiles that see the same keys are joined: at borders, and along an axis that the window
// covers. So fewer tiles end in the middle of a block of queries.
std::vector<Part> parts_of(const SitePlan& plan, const Extent& window) {
  const TileGrid& tiles = plan.tiles();
  const TokensBeside beside = plan.beside();
  const int64_t length = plan.site().key_length;
  const std::vector<KeyRun> everything{{0, length}};
  if (covers(tiles, window)) return {{0, length, everything}};
  std::vector<Part> parts;
  const auto add = [&](int64_t first, int64_t count, std::vector<KeyRun> keys) {
    if (count == 0) return;
    if (!parts.empty() && parts.back().keys == keys)
      parts.back().end += count;
    else
      parts.push_back({first, first + count, std::move(keys)});
  };
  add(0, beside.before, everything);
  for (int64_t i = 0; i < tiles.size(); ++i)
    add(beside.before + tiles.start(i), tiles.tokens(i), key_runs(tiles, beside, window, i));
  add(beside.before + tiles.grid().volume(), beside.after, everything);
  return parts;
}

void require_room(size_t blocks) {
  if (blocks > kMostBlocks)
    throw Refused("tiles so small make more than " + std::to_string(kMostBlocks) +
                  " entries of query or key blocks; choose a larger tile");
}

// Appends the key blocks of some runs; their place: begin, end.
std::pair<int, int> append_blocks(std::vector<hopper::KeyBlock>& blocks, const std::vector<KeyRun>& runs, int width) {
  const auto begin = static_cast<int>(blocks.size());
  for (const KeyRun& run : runs)
    for (int64_t at = 0; at < run.length; at += width)
      blocks.push_back({static_cast<int>(run.start + at), static_cast<int>(std::min<int64_t>(width, run.length - at))});
  require_room(blocks.size());
  return {begin, static_cast<int>(blocks.size())};
}

int length(const QueryBlock& block) { return block.keys_end - block.keys_begin; }

}  // namespace

Tables::Tables(const SitePlan& plan, int rows, int width) : plan_(plan) {
  std::vector<hopper::KeyBlock> key_blocks;
  std::vector<std::vector<QueryBlock>> of_windows;
  size_t most = 0;
  for (const Extent& window : plan.windows()) {
    std::vector<QueryBlock>& query_blocks = of_windows.emplace_back();
    for (const Part& part : parts_of(plan, window)) {
      const auto [begin, end] = append_blocks(key_blocks, part.keys, width);
      for (int64_t at = part.first; at < part.end; at += rows)
        query_blocks.push_back(
            {static_cast<int>(at), static_cast<int>(std::min<int64_t>(at + rows, part.end)), begin, end});
    }
    std::stable_sort(query_blocks.begin(), query_blocks.end(),
                     [](const QueryBlock& a, const QueryBlock& b) { return length(a) > length(b); });
    int64_t sum = 0;
    for (const QueryBlock& block : query_blocks) sum += length(block);
    lengths_.emplace_back(length(query_blocks.front()), sum);
    most = std::max(most, query_blocks.size());
    require_room(most * of_windows.size());
  }
  std::vector<QueryBlock> query_blocks;
  for (std::vector<QueryBlock>& one : of_windows) {
    one.resize(most);  // with blocks of no queries and no keys, which the kernel steps over
    query_blocks.insert(query_blocks.end(), one.begin(), one.end());
  }
  query_block_count_ = static_cast<int>(most);
  counter_ = append(std::vector<unsigned>{0});
  query_blocks_ = append(query_blocks);
  key_blocks_ = append(key_blocks);
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
