#include "host/console/console_log.hpp"

#include <spdlog/pattern_formatter.h>

#include <memory>
#include <mutex>
#include <string>

#include "host/log/log.hpp"

namespace fastvideo::host {
namespace {

// spdlog spells levels in small letters; FastVideo's log has Python's names.
class LevelName : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    constexpr std::string_view kNames[] = {"TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
    const std::string_view name = kNames[message.level];
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelName>(); }
};

// spdlog counts 1 for debug to 5 for critical.
spdlog::level::level_enum to_spdlog(LogLevel level) {
  return static_cast<spdlog::level::level_enum>(static_cast<int>(level) / 10);
}

// Gives every line of a message its prefix and hands them to the console in one piece.
class LineWriter {
 public:
  LineWriter() { formatter_.add_flag<LevelName>('*').set_pattern("%* %m-%d %H:%M:%S.%e [%n] %v"); }

  void set_console(Console& console) {
    const std::lock_guard lock(mutex_);
    console_ = &console;
  }

  void write(LogLevel level, std::string_view source, std::string_view text) {
    const std::string name = printable(source);
    std::string_view rest = text;
    while (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
    spdlog::memory_buf_t lines;
    const auto now = spdlog::log_clock::now();
    const std::lock_guard lock(mutex_);
    for (bool is_first = true;; is_first = false) {
      const size_t end = rest.find('\n');
      // The bar: no later line can be taken for a message of its own.
      const std::string line = (is_first ? "" : "| ") + printable_lines(rest.substr(0, end));
      formatter_.format(spdlog::details::log_msg(now, {}, name, to_spdlog(level), line), lines);
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    console_->print({lines.data(), lines.size()});
  }

 private:
  std::mutex mutex_;
  spdlog::pattern_formatter formatter_{std::string()};
  Console* console_ = nullptr;
};

}  // namespace

void log_to(Console& console) {
  // Never destroyed: plugins and static objects may log while the process ends.
  static LineWriter* const writer = new LineWriter();
  writer->set_console(console);
  set_log_sink([](void* context, LogLevel level, std::string_view source,
                  std::string_view text) { static_cast<LineWriter*>(context)->write(level, source, text); },
               writer);
}

}  // namespace fastvideo::host
