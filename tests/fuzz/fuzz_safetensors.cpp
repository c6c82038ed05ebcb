// Safetensors headers: whatever the bytes, a header that keeps its promises or a refusal.
#include <cstdlib>
#include <fastvideo/core.hpp>

#include "pipelines/common/weights/safetensors.hpp"
#include "tests/fuzz/memory_file.hpp"

namespace {

void read(std::string_view bytes) {
  static const fastvideo::fuzz::MemoryFile file;
  try {
    const fastvideo::SafetensorsHeader header = fastvideo::read_safetensors_header(file.hold(bytes));
    if (header.file_bytes != bytes.size()) std::abort();
    for (const auto& [name, entry] : header.tensors) {
      const uint64_t size = fastvideo::safetensors_element_size(entry.dtype);
      if (entry.begin > entry.end || entry.end > header.file_bytes || size == 0) std::abort();
      if (entry.elements * size != entry.bytes()) std::abort();
      for (const int64_t side : entry.shape)
        if (side < 0) std::abort();
    }
  } catch (const fastvideo::Refused& refusal) {
    if (*refusal.what() == '\0') std::abort();
  }
}

}  // namespace

// The bytes as a file; then their first line as a header, for which the length is put in front, and the rest as data.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  const size_t end = std::min(bytes.find('\n'), size);
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(end >> 8 * i & 0xFF);
  file += bytes.substr(0, end);
  if (end < size) file += bytes.substr(end + 1);
  read(file);
  return 0;
}
