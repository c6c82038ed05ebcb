// plugin.toml: whatever the text, a manifest whose items can be used or a refusal with the place.
#include <cstdlib>

#include "host/error/error.hpp"
#include "host/plugins/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const fastvideo::host::Manifest manifest = fastvideo::host::parse_manifest(text, "/plugins/some/plugin.toml");
    if (manifest.id.empty() || manifest.abi.empty()) std::abort();
    for (const fastvideo::host::Item& item : manifest.items) {
      if (item.name.empty() || item.implementation.empty()) std::abort();
      // A library outside of the folder would let a manifest open anything.
      if (item.known_kind() && item.library.lexically_normal().parent_path() != "/plugins/some") std::abort();
      for (const fastvideo::host::DataFile& file : item.data)
        if (file.file.lexically_normal().parent_path() != "/plugins/some") std::abort();
      for (const fastvideo::host::OptionSpec& option : item.options) option.allowed();
      if (item.limits.head_sizes) item.limits.head_sizes->describe();
      if (item.limits.head_sizes) item.limits.head_sizes->contains(64);
    }
  } catch (const fastvideo::host::RequestError& refusal) {
    if (std::string_view(refusal.what()).find("plugin.toml") == std::string_view::npos) std::abort();
  }
  return 0;
}
