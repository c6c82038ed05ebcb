// Configuration: whatever the text, settings of their types or a refusal that names the file.
#include <cstdlib>

#include "host/config/settings.hpp"
#include "host/error/error.hpp"
#include "tests/fuzz/memory_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fastvideo::fuzz::MemoryFile file;
  static const fastvideo::Schema schema = fastvideo::Schema::host();
  const std::string path = file.hold({reinterpret_cast<const char*>(data), size});
  try {
    const auto given = fastvideo::read_config_file(path);
    for (const auto unknown : {fastvideo::Unknown::keep_out, fastvideo::Unknown::refuse}) {
      const fastvideo::Settings settings = fastvideo::resolve(schema, given, unknown);
      for (const auto& [name, setting] : settings.all()) {
        if (name.empty() || setting.value.to_toml().empty()) std::abort();
      }
      if (settings.integer("run.threads") < 0) std::abort();
    }
  } catch (const fastvideo::RequestError& refusal) {
    if (std::string_view(refusal.what()).find(path) == std::string_view::npos) std::abort();
  }
  return 0;
}
