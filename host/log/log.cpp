#include "host/log/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace fastvideo {
namespace {

constexpr const char* kLevelVariable = "FASTVIDEO_LOGGING_LEVEL";

// First the names that are shown, then the others that Python's logging takes.
constexpr std::array<std::pair<std::string_view, LogLevel>, 7> kLevelNames = {{{"DEBUG", LogLevel::debug},
                                                                               {"INFO", LogLevel::info},
                                                                               {"WARNING", LogLevel::warning},
                                                                               {"ERROR", LogLevel::error},
                                                                               {"CRITICAL", LogLevel::critical},
                                                                               {"WARN", LogLevel::warning},
                                                                               {"FATAL", LogLevel::critical}}};

// A plugin may hand over any number: it counts as the level at or below it.
spdlog::level::level_enum to_spdlog(LogLevel level) {
  if (level >= LogLevel::critical) return spdlog::level::critical;
  if (level >= LogLevel::error) return spdlog::level::err;
  if (level >= LogLevel::warning) return spdlog::level::warn;
  if (level >= LogLevel::info) return spdlog::level::info;
  return spdlog::level::debug;
}

// spdlog spells levels in small letters; FastVideo's log has Python's names.
class LevelName : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    for (const auto& [name, level] : kLevelNames) {
      if (to_spdlog(level) != message.level) continue;
      out.append(name.data(), name.data() + name.size());
      return;
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelName>(); }
};

// Gives every line of a message its prefix and hands them to the console in one piece.
class ConsoleSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  ConsoleSink() {
    auto formatter = std::make_unique<spdlog::pattern_formatter>(std::string());
    formatter->add_flag<LevelName>('*').set_pattern("%* %m-%d %H:%M:%S.%e [%n] %v");
    set_formatter_(std::move(formatter));
    set_level(spdlog::level::info);
  }

  void set_console(Console& console) {
    const std::lock_guard lock(mutex_);
    console_ = &console;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string_view rest(message.payload.data(), message.payload.size());
    while (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
    spdlog::memory_buf_t lines;
    for (bool is_first = true;; is_first = false) {
      const std::size_t end = rest.find('\n');
      // The bar: no later line can be taken for a message of its own.
      const std::string line = (is_first ? "" : "| ") + printable_lines(rest.substr(0, end));
      spdlog::details::log_msg part = message;
      part.payload = line;
      formatter_->format(part, lines);
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    console_->print({lines.data(), lines.size()});
  }
  void flush_() override {}

 private:
  Console* console_ = &Console::standard_error();
};

// Never destroyed: plugins and static objects may log while the process ends.
ConsoleSink& sink() {
  static ConsoleSink* const instance = new ConsoleSink();
  return *instance;
}

}  // namespace

LogLevel parse_log_level(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
  for (const auto& [known, level] : kLevelNames) {
    if (upper == known) return level;
  }
  throw std::invalid_argument("unknown log level '" + printable(name) +
                              "': use DEBUG, INFO, WARNING, ERROR or CRITICAL");
}

LogLevel log_level_from_environment(LogLevel otherwise) {
  const char* value = std::getenv(kLevelVariable);
  if (value == nullptr || *value == '\0') return otherwise;
  try {
    return parse_log_level(value);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string(kLevelVariable) + ": " + error.what());
  }
}

void set_log_level(LogLevel level) { sink().set_level(to_spdlog(level)); }

bool log_enabled(LogLevel level) { return sink().should_log(to_spdlog(level)); }

void write_log(LogLevel level, std::string_view source, std::string_view text) noexcept {
  try {
    if (!log_enabled(level)) return;
    const std::string name = printable(source);
    sink().log(spdlog::details::log_msg(name, to_spdlog(level), {text.data(), text.size()}));
  } catch (...) {  // NOLINT(bugprone-empty-catch): a message that cannot be formatted must not end a run
  }
}

void set_log_console(Console& console) { sink().set_console(console); }

}  // namespace fastvideo
