#include "host/run/prompts.hpp"

#include <filesystem>
#include <sstream>

#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/run/utf8.hpp"

namespace fastvideo {
namespace {

constexpr const char* kBlank = " \t\r\v\f";

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
    if (first == std::string::npos || line[first] == '#') continue;
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
