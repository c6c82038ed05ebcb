// Configuration: whatever the text, settings of their types or a refusal that names the file.
#include <cstdlib>

#include "host/config/settings.hpp"
#include "host/error/error.hpp"
#include "tests/fuzz/memory_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fastvideo::fuzz::MemoryFile file;
  static const fastvideo::host::Schema schema = fastvideo::host::Schema::host();
  const std::string path = file.hold({reinterpret_cast<const char*>(data), size});
  try {
    const auto given = fastvideo::host::read_config_file(path);
    for (const auto unknown : {fastvideo::host::Unknown::keep_out, fastvideo::host::Unknown::refuse}) {
      const fastvideo::host::Settings settings = fastvideo::host::resolve(schema, given, unknown);
      for (const auto& [name, setting] : settings.all()) {
        if (name.empty() || setting.value.to_toml().empty()) std::abort();
      }
      if (settings.integer("run.threads") < 0) std::abort();
    }
  } catch (const fastvideo::host::RequestError& refusal) {
    if (std::string_view(refusal.what()).find(path) == std::string_view::npos) std::abort();
  }
  return 0;
}
