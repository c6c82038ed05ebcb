#include "host/cli/flags.hpp"

#include "host/error/error.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

// The value of `flag` at arguments[at], as "--flag value" or "--flag=value"; moves `at` onto the value.
std::optional<std::string> value_of(std::string_view flag, const std::vector<std::string>& arguments, size_t& at) {
  const std::string& argument = arguments[at];
  if (argument == flag) {
    if (at + 1 == arguments.size()) throw RequestError(std::string(flag) + " needs a value");
    return arguments[++at];
  }
  if (argument.starts_with(std::string(flag) + "=")) return argument.substr(flag.size() + 1);
  return std::nullopt;
}

}  // namespace

EarlyFlags read_early_flags(const std::vector<std::string>& arguments) {
  EarlyFlags early;
  for (size_t at = 0; at < arguments.size() && arguments[at] != "--"; ++at) {
    if (const auto file = value_of("--config", arguments, at))
      early.config = *file;
    else if (const auto folder = value_of("--plugin-dir", arguments, at))
      early.given.push_back({"plugins.path", *folder, Source::command_line("--plugin-dir"), true});
    else if (const auto setting = value_of("--set", arguments, at))
      early.given.push_back(parse_set(*setting));
  }
  return early;
}

Given parse_set(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw RequestError("--set " + shortened(text) +
                       ": give a setting and its value, as in --set attention.default=TORCH_SDPA");
  return {text.substr(0, equals), text.substr(equals + 1),
          Source::command_line("--set " + shortened(text.substr(0, equals))), true};
}

Given parse_attention_backend(const std::string& text) {
  const Source source = Source::command_line("--attention-backend");
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {"attention.backend", text, source, true};
  return {"attention.roles." + text.substr(0, equals), text.substr(equals + 1), source, true};
}

}  // namespace fastvideo::host
