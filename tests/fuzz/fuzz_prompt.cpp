// Prompt cleaning: whatever the text, one line of UTF-8 without white space at its ends or twice in a row, or a
// refusal.
#include <cstdint>
#include <cstdlib>
#include <fastvideo/core.hpp>

#include "pipelines/common/text/tokenizer/clean_prompt.hpp"
#include "pipelines/common/text/tokenizer/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string cleaned = fastvideo::clean_prompt({reinterpret_cast<const char*>(data), size});
    (void)fastvideo::decode_utf8(cleaned);
    if (cleaned.starts_with(' ') || cleaned.ends_with(' ')) std::abort();
    if (cleaned.find("  ") != std::string::npos || cleaned.find_first_of("\t\r\n") != std::string::npos) std::abort();
    // The longest that one byte becomes: ligatures, and characters that NFC takes apart.
    if (cleaned.size() > 16 * size) std::abort();
  } catch (const fastvideo::Refused& refusal) {
    if (*refusal.what() == '\0') std::abort();
  }
  return 0;
}
