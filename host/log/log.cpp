#include "host/log/log.hpp"

#include <array>
#include <atomic>
#include <stdexcept>
#include <utility>

#include "host/error/letter_case.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

// Those that Python's logging takes.
constexpr std::array<std::pair<std::string_view, LogLevel>, 7> kLevelNames = {{{"DEBUG", LogLevel::debug},
                                                                               {"INFO", LogLevel::info},
                                                                               {"WARNING", LogLevel::warning},
                                                                               {"ERROR", LogLevel::error},
                                                                               {"CRITICAL", LogLevel::critical},
                                                                               {"WARN", LogLevel::warning},
                                                                               {"FATAL", LogLevel::critical}}};

// Constant initialisation: plugins and static objects may log while the process begins or ends.
std::atomic<int> least{static_cast<int>(LogLevel::info)};
std::atomic<void*> context_of_sink{nullptr};
std::atomic<LogSink> sink{nullptr};

// A plugin may hand over any number: it counts as the level at or below it.
LogLevel known(LogLevel level) noexcept {
  for (const LogLevel one : {LogLevel::critical, LogLevel::error, LogLevel::warning, LogLevel::info})
    if (level >= one) return one;
  return LogLevel::debug;
}

}  // namespace

LogLevel parse_log_level(std::string_view name) {
  for (const auto& [text, level] : kLevelNames) {
    if (same_name(name, text)) return level;
  }
  throw std::invalid_argument("unknown log level '" + printable(name) +
                              "': use DEBUG, INFO, WARNING, ERROR or CRITICAL");
}

void set_log_level(LogLevel level) noexcept { least = static_cast<int>(known(level)); }

bool log_enabled(LogLevel level) noexcept { return static_cast<int>(known(level)) >= least; }

void set_log_sink(LogSink to, void* context) noexcept {
  sink = nullptr;
  context_of_sink = context;
  sink = to;
}

void write_log(LogLevel level, std::string_view source, std::string_view text) noexcept {
  const LogSink to = sink;
  if (to == nullptr || !log_enabled(level)) return;
  try {
    to(context_of_sink, known(level), source, text);
  } catch (...) {  // NOLINT(bugprone-empty-catch): a message that cannot be formatted must not end a run
  }
}

}  // namespace fastvideo::host
