// The log: messages with a level and a source, handed to whoever the program has put there.
#pragma once

#include <string_view>

namespace fastvideo::host {

/// Python's numbers, which are also those of FV_LOG_*.
enum class LogLevel : int { debug = 10, info = 20, warning = 30, error = 40, critical = 50 };

/// The level called DEBUG, INFO, WARNING (or WARN), ERROR, CRITICAL (or FATAL), in any letter case. Another name throws
/// std::invalid_argument, which lists these.
LogLevel parse_log_level(std::string_view name);

/// From now on messages below `level` are dropped. At first LogLevel::info.
void set_log_level(LogLevel level) noexcept;
bool log_enabled(LogLevel level) noexcept;

/// Takes a message: a text of any number of lines, in no way cleaned. Called in any thread, several at a time; what it
/// throws is dropped.
using LogSink = void (*)(void* context, LogLevel level, std::string_view source, std::string_view text);

/// Where messages go from now on; at first, and with nullptr, nowhere. Not while messages are written.
void set_log_sink(LogSink sink, void* context) noexcept;

/// Logs one message. `source` is the part of the host that speaks ("selection") or a plugin's id. Any thread; never
/// throws.
void write_log(LogLevel level, std::string_view source, std::string_view text) noexcept;

inline void log_debug(std::string_view source, std::string_view text) { write_log(LogLevel::debug, source, text); }
inline void log_info(std::string_view source, std::string_view text) { write_log(LogLevel::info, source, text); }
inline void log_warning(std::string_view source, std::string_view text) { write_log(LogLevel::warning, source, text); }
inline void log_error(std::string_view source, std::string_view text) { write_log(LogLevel::error, source, text); }

}  // namespace fastvideo::host
