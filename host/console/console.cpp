#include "host/console/console.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace fastvideo::host {
namespace {

constexpr std::string_view kEraseLine = "\r\033[K";

// The first `columns` characters of UTF-8 text, each taken to be one column wide.
std::string_view cut(std::string_view text, int columns) {
  size_t end = 0;
  while (end < text.size()) {
    const bool starts_character = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U;
    if (starts_character && columns-- <= 0) break;
    ++end;
  }
  return text.substr(0, end);
}

}  // namespace

Console::Console(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1) {}

Console::~Console() { clear_status(); }

Console& Console::standard_error() {
  static Console* const console = new Console(STDERR_FILENO);
  return *console;
}

int Console::width() const {
  winsize size = {};
  return ::ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void Console::print(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  std::string bytes;
  if (!status_.empty()) bytes += kEraseLine;
  bytes += printable_lines(lines);
  if (lines.empty() || lines.back() != '\n') bytes += '\n';
  bytes += status_;
  write(bytes);
}

void Console::set_status(std::string_view status) {
  if (!is_terminal_) return;
  const std::lock_guard lock(mutex_);
  // The last column stays free: a cursor behind it would wrap on some terminals.
  const std::string shown = std::string(cut(printable(status), width() - 1));
  if (shown == status_) return;
  status_ = shown;
  write(std::string(kEraseLine) + status_);
}

void Console::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd waiting = {fd_, POLLOUT, 0};
      ::poll(&waiting, 1, 1000);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace fastvideo::host
