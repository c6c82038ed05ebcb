// Standard error, shared by the log and the progress bar: whole lines scroll, one status line stays below them.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "host/error/printable.hpp"

namespace fastvideo::host {

/// A place for messages. Any thread may call any function; output that cannot be written is dropped.
class Console {
 public:
  /// Writes to `fd`, which is borrowed and must outlive the console.
  explicit Console(int fd);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// The console on descriptor 2. Never destroyed, so that what is logged late is still seen.
  static Console& standard_error();

  bool is_terminal() const { return is_terminal_; }
  /// Columns of the terminal now; 80 where nobody knows.
  int width() const;

  /// Writes whole lines (a missing line end is added) in one piece, above the status line; as printable_lines() gives
  /// them, whoever wrote them.
  void print(std::string_view lines);
  /// Shows `status`, one line without its end, cut to the terminal's width, until it is replaced. Nothing happens
  /// where the console is no terminal.
  void set_status(std::string_view status);
  void clear_status() { set_status({}); }

 private:
  void write(std::string_view bytes) const;

  int fd_;
  bool is_terminal_;
  std::mutex mutex_;
  std::string status_;  // as shown, so cut
};

}  // namespace fastvideo::host
