// Tokenizer files: whatever the bytes, a tokenizer whose ids lie in its vocabulary or a refusal. Each input is read as
// tokenizer.json and as spiece.model.
#include <cstdlib>
#include <fastvideo/core.hpp>
#include <filesystem>

#include "pipelines/common/text/tokenizer/tokenizer.hpp"
#include "tests/fuzz/memory_file.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

// A folder with the memory file under the name of a tokenizer's file.
struct TokenizerFolder {
  fastvideo::fuzz::MemoryFile memory;
  fastvideo::test::TemporaryFolder folder;
  explicit TokenizerFolder(const char* name) { std::filesystem::create_symlink(memory.hold(""), folder.path() / name); }

  void read(std::string_view bytes) const {
    memory.hold(bytes);
    try {
      const fastvideo::Tokenizer tokenizer = fastvideo::Tokenizer::open(folder.path());
      for (const char* text : {"", "a red circle", "  <extra_id_0>\xE2\x96\x81 \xC3\xA9</s> "}) {
        const std::vector<int64_t> ids = tokenizer.encode(text, 16);
        if (ids.empty() || ids.size() > 16) std::abort();
        for (const int64_t id : ids)
          if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
      }
    } catch (const fastvideo::Refused& refusal) {
      if (*refusal.what() == '\0') std::abort();
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const TokenizerFolder json("tokenizer.json"), model("spiece.model");
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  json.read(bytes);
  model.read(bytes);
  return 0;
}
