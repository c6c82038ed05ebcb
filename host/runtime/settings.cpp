#include "host/runtime/settings.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "host/error/error.hpp"
#include "host/runtime/errors.hpp"

namespace fastvideo::host {
namespace {

constexpr std::array<std::string_view, 5> kOfARuntime = {"plugins.path", "plugins.disable", "libraries.path",
                                                         "run.threads", "log.level"};

std::string text_of(const char* text, const std::string& path) {
  if (text == nullptr) throw InvalidCall("the setting " + path + " has no text: its pointer is NULL");
  return text;
}

Value value_of(const fvr_setting& setting, const std::string& path) {
  switch (setting.type) {
    case FVR_TEXT:
    case FVR_STRING:
      return text_of(setting.as.text, path);
    case FVR_BOOL:
      if (setting.as.integer != 0 && setting.as.integer != 1)
        throw InvalidCall("the setting " + path + " is an FVR_BOOL of " + std::to_string(setting.as.integer) +
                          ": 0 or 1");
      return setting.as.integer == 1;
    case FVR_INT:
      return setting.as.integer;
    case FVR_FLOAT:
      return setting.as.number;
    case FVR_STRINGS: {
      if (setting.count > 0 && setting.as.texts == nullptr)
        throw InvalidCall("the setting " + path + " has " + std::to_string(setting.count) + " texts at NULL");
      Value::List list;
      for (uint32_t i = 0; i < setting.count; ++i) list.emplace_back(text_of(setting.as.texts[i], path));
      return list;
    }
    default:
      throw InvalidCall("the setting " + path + " is of the unknown type " + std::to_string(setting.type));
  }
}

void require_scope(const Given& given, Scope scope) {
  const std::string who = given.source.describe();
  if (is_of_output(given.path))
    throw RequestError(who +
                           " belongs to the program, which writes files; the library writes none: take the frames "
                           "where they are given",
                       given.path);
  if (scope != Scope::runtime && std::ranges::count(kOfARuntime, given.path) > 0)
    throw RequestError(who + " belongs to a runtime, and not to a model or a request: give it where the runtime opens",
                       given.path);
}

}  // namespace

std::vector<Given> read_settings(const fvr_setting* settings, uint32_t count, Scope scope) {
  if (settings == nullptr && count > 0) throw InvalidCall("there are " + std::to_string(count) + " settings at NULL");
  std::vector<Given> all;
  for (uint32_t i = 0; i < count; ++i) {
    const fvr_setting& one = settings[i];
    if (one.path == nullptr) throw InvalidCall("setting " + std::to_string(i) + " has no path");
    const std::string path = one.path;
    const std::string name = one.source != nullptr ? one.source + (" (" + path + ")") : path;
    const Source source = scope == Scope::request ? Source::command_line(name) : Source::embedder(name);
    all.push_back({path, value_of(one, path), source, one.type == FVR_TEXT});
    require_scope(all.back(), scope);
  }
  return all;
}

}  // namespace fastvideo::host
