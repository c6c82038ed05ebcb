// The log: lines "LEVEL mm-dd HH:MM:SS.mmm [source] message" on standard error.
#pragma once

#include <string_view>

#include "host/log/console.hpp"

namespace fastvideo {

/// Python's numbers, which are also those of FV_LOG_*.
enum class LogLevel : int { debug = 10, info = 20, warning = 30, error = 40, critical = 50 };

/// The level called DEBUG, INFO, WARNING (or WARN), ERROR, CRITICAL (or FATAL), in any letter case. Another name throws
/// std::invalid_argument, which lists these.
LogLevel parse_log_level(std::string_view name);

/// The level that FASTVIDEO_LOGGING_LEVEL names; `otherwise` where it is unset or empty. Throws std::invalid_argument.
LogLevel log_level_from_environment(LogLevel otherwise = LogLevel::info);

/// From now on messages below `level` are dropped. At first LogLevel::info.
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);

/// Logs one message. `source` is the part of the host that speaks ("selection") or a plugin's id. Each line of a text
/// of several lines gets the prefix, and from the second on a bar. Any thread; never throws.
void write_log(LogLevel level, std::string_view source, std::string_view text) noexcept;

inline void log_debug(std::string_view source, std::string_view text) { write_log(LogLevel::debug, source, text); }
inline void log_info(std::string_view source, std::string_view text) { write_log(LogLevel::info, source, text); }
inline void log_warning(std::string_view source, std::string_view text) { write_log(LogLevel::warning, source, text); }
inline void log_error(std::string_view source, std::string_view text) { write_log(LogLevel::error, source, text); }

/// Where messages go; at first Console::standard_error(). The console is borrowed until it is replaced.
void set_log_console(Console& console);

}  // namespace fastvideo
