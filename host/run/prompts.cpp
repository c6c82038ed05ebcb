#include "host/run/prompts.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/run/utf8.hpp"

namespace fastvideo {
namespace {

constexpr const char* kBlank = " \t\r\v\f";

// Whether UTF-8 text is white space alone, Unicode's included: U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028,
// U+2029, U+202F, U+205F, U+3000.
bool is_white_space_alone(std::string_view text) {
  constexpr std::array<std::string_view, 9> wide = {"\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80",
                                                    "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                                                    "\xE2\x81\x9F", "\xE3\x80\x80", "\xE2\x80"};
  while (!text.empty()) {
    if (std::string_view(kBlank).find(text.front()) != std::string_view::npos) {
      text.remove_prefix(1);
      continue;
    }
    const auto found =
        std::find_if(wide.begin(), wide.end(), [&](std::string_view one) { return text.starts_with(one); });
    if (found == wide.end()) return false;
    if (found == wide.end() - 1 && (text.size() < 3 || static_cast<unsigned char>(text[2]) > 0x8A)) return false;
    text.remove_prefix(std::max<size_t>(found->size(), text.front() == '\xC2' ? 2 : 3));
  }
  return true;
}

}  // namespace

std::vector<std::string> read_prompt_file(const std::string& file) {
  std::vector<std::string> prompts;
  std::string text = read_text_file(file);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // the byte order mark of some editors
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    throw RequestError(file + ": is UTF-16; prompts are UTF-8 text: save it as UTF-8 (iconv -f utf16 -t utf8)");
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
    throw RequestError("both " + prompt->source.describe() + " and " + file->source.describe() +
                       " say what to make; give one of them");
  if (file != nullptr && (prompt == nullptr || prompt->source.kind < file->source.kind)) {
    try {
      return read_prompt_file(file->value.string());
    } catch (const RequestError& e) {
      throw RequestError(file->source.describe() + ": " + e.what());
    }
  }
  if (prompt != nullptr) {
    require_utf8(prompt->value.string(), prompt->source.describe());
    return {prompt->value.string()};
  }
  return {};
}

std::string numbered_output(const std::string& output, std::size_t index, std::size_t count) {
  if (count <= 1) return output;
  std::string number = std::to_string(index + 1);
  number.insert(0, std::to_string(count).size() - number.size(), '0');
  std::filesystem::path path(output);
  const bool ends_in_slash = !path.has_filename();
  if (ends_in_slash) path = path.parent_path();
  path.replace_filename(path.stem().string() + "_" + number + path.extension().string());
  return path.string() + (ends_in_slash ? "/" : "");
}

}  // namespace fastvideo
