#include "host/request/prompts.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string_view>

#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/error/utf8.hpp"

namespace fastvideo::host {
namespace {

constexpr const char* kBlank = " \t\r\v\f";

// White_Space of Unicode.
bool is_white_space(uint32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

bool is_white_space_alone(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character c = character_at(text);
    if (!c.is_valid || !is_white_space(c.code)) return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

}  // namespace

void require_utf8(std::string_view text, const std::string& where, const std::string& setting) {
  const std::optional<size_t> at = first_that_is_not_utf8(text);
  if (!at) return;
  std::array<char, 8> byte{};
  std::snprintf(byte.data(), byte.size(), "0x%02X", static_cast<unsigned>(static_cast<unsigned char>(text[*at])));
  throw RequestError(where + ": not UTF-8: byte " + byte.data() + " at column " + std::to_string(*at + 1) +
                         "; text of requests is UTF-8: convert it (iconv -f latin1 -t utf8)",
                     setting);
}

std::vector<std::string> read_prompt_file(const std::string& file) {
  std::vector<std::string> prompts;
  std::string text = read_text_file(file);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // the byte order mark of some editors
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    throw RequestError(file + ": is UTF-16; prompts are UTF-8 text: save it as UTF-8 (iconv -f utf16 -t utf8)");
  // A carriage return alone ends a line too, as on old Macs and in what some tables export.
  for (size_t at = text.find('\r'); at != std::string::npos; at = text.find('\r', at + 1))
    if (at + 1 == text.size() || text[at + 1] != '\n') text[at] = '\n';
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const size_t first = line.find_first_not_of(kBlank);
    if (first == std::string::npos || line[first] == '#' || is_white_space_alone(line)) continue;
    if (line.find('\0') != std::string::npos)
      throw RequestError(file + ":" + std::to_string(number) +
                         ": the line contains the character NUL; prompts are UTF-8 text");
    require_utf8(line, file + ":" + std::to_string(number));
    prompts.push_back(line.substr(first, line.find_last_not_of(kBlank) - first + 1));
  }
  if (prompts.empty()) throw RequestError(file + " holds no prompt: write one on each line (# begins a comment)");
  return prompts;
}

std::vector<std::string> prompts_of(const Settings& settings) {
  const Setting* prompt = settings.find("request.prompt");
  const Setting* file = settings.find("request.prompt_file");
  if (prompt != nullptr && file != nullptr && prompt->source.kind == file->source.kind)
    throw RequestError(
        "both " + prompt->source.describe() + " and " + file->source.describe() + " say what to make; give one of them",
        "request.prompt");
  if (file != nullptr && (prompt == nullptr || prompt->source.kind < file->source.kind)) {
    try {
      return read_prompt_file(file->value.string());
    } catch (const RequestError& e) {
      throw RequestError(file->source.describe() + ": " + e.what(), "request.prompt_file");
    }
  }
  if (prompt != nullptr) {
    require_utf8(prompt->value.string(), prompt->source.describe(), "request.prompt");
    return {prompt->value.string()};
  }
  return {};
}

}  // namespace fastvideo::host
