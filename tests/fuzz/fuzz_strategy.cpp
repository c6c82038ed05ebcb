// Strategy files of sliding tile attention, from the JSON to the windows: whatever the text, a window for every step,
// layer and head, or a refusal.
#include <cstdlib>
#include <fastvideo/core.hpp>
#include <filesystem>

#include "host/error/error.hpp"
#include "host/plugins/manifest.hpp"
#include "plugins/attention/sliding_tile_attn/strategy.hpp"
#include "tests/fuzz/memory_file.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

// The memory file by a name that says what it is.
struct StrategyFile {
  fastvideo::fuzz::MemoryFile memory;
  fastvideo::test::TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "strategy.json";
  StrategyFile() { std::filesystem::create_symlink(memory.hold(""), path); }
};

void check(const fastvideo::sliding_tile::Strategy& strategy) {
  int64_t entries = 0;
  for (const int64_t count : strategy.counts()) entries += count;
  if (entries != strategy.steps() * strategy.layers() * strategy.heads()) std::abort();
  for (const int64_t step : {int64_t{0}, strategy.steps() - 1})
    if (strategy.window_of(step, strategy.layers() - 1, strategy.heads() - 1) >= strategy.windows().size())
      std::abort();
  if (strategy.nearest_step(49, 50) != strategy.steps() - 1) std::abort();
  for (const fastvideo::Extent& window : strategy.windows())
    for (size_t axis = 0; axis < 3; ++axis)
      if (window[axis] < 1 || window[axis] > strategy.tile_grid()[axis]) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const StrategyFile file;
  file.memory.hold({reinterpret_cast<const char*>(data), size});
  fastvideo::host::Item item;
  item.data = {{"strategy", file.path}};
  try {
    const fastvideo::host::Value::Table read = fastvideo::host::read_data(item);
    fastvideo::host::AbiValues memory;
    check({*memory.add(read.front().value), file.path.string()});
  } catch (const std::runtime_error& refusal) {  // the host's, or the plugin's
    if (dynamic_cast<const fastvideo::host::RequestError*>(&refusal) == nullptr &&
        dynamic_cast<const fastvideo::Refused*>(&refusal) == nullptr)
      std::abort();
    if (std::string_view(refusal.what()).find("strategy.json") == std::string_view::npos) std::abort();
  }
  return 0;
}
