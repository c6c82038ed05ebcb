// JSON data files, which users bring too: whatever the text, a value as deep as plugins may expect, or a refusal that
// names the file.
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "host/error/error.hpp"
#include "host/plugins/manifest.hpp"
#include "tests/fuzz/memory_file.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using fastvideo::host::Value;

int depth(const Value& value) {
  int deepest = 0;
  if (value.type() == FV_VALUE_LIST)
    for (const Value& one : value.list()) deepest = std::max(deepest, depth(one));
  if (value.type() == FV_VALUE_TABLE)
    for (const fastvideo::host::Entry& entry : value.table()) deepest = std::max(deepest, depth(entry.value));
  return deepest + 1;
}

// The memory file by a name that says what it is.
struct JsonFile {
  fastvideo::fuzz::MemoryFile memory;
  fastvideo::test::TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "data.json";
  JsonFile() { std::filesystem::create_symlink(memory.hold(""), path); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const JsonFile file;
  const std::string text(reinterpret_cast<const char*>(data), size);
  file.memory.hold(text);
  fastvideo::host::Item item;
  item.data = {{"data", file.path}};
  try {
    const Value::Table read = fastvideo::host::read_data(item);
    if (read.size() != 1 || depth(read.front().value) > 65) std::abort();
    if (!nlohmann::json::accept(text)) std::abort();
  } catch (const fastvideo::host::RequestError& refusal) {
    if (std::string_view(refusal.what()).find("data.json") == std::string_view::npos) std::abort();
  }
  return 0;
}
