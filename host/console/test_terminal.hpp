// For tests: a console whose output can be read, on a pseudo terminal or in a file.
#pragma once

#include <pty.h>
#include <sys/mman.h>
#include <unistd.h>

#include <poll.h>

#include <stdexcept>
#include <string>

namespace fastvideo::host {

/// A pseudo terminal of `columns` columns. What is written to fd() comes out of read().
class TestTerminal {
 public:
  explicit TestTerminal(unsigned short columns) {
    winsize size = {};
    size.ws_row = 24;
    size.ws_col = columns;
    if (::openpty(&reader_, &writer_, nullptr, nullptr, &size) != 0) throw std::runtime_error("no pseudo terminal");
  }
  ~TestTerminal() {
    ::close(reader_);
    ::close(writer_);
  }
  TestTerminal(const TestTerminal&) = delete;
  TestTerminal& operator=(const TestTerminal&) = delete;

  int fd() const { return writer_; }

  /// Everything written since the last call.
  std::string read() const {
    std::string text;
    pollfd waiting = {reader_, POLLIN, 0};
    while (::poll(&waiting, 1, 50) == 1) {
      char buffer[4096];
      const ssize_t count = ::read(reader_, buffer, sizeof buffer);
      if (count <= 0) break;
      text.append(buffer, static_cast<size_t>(count));
    }
    return text;
  }

  /// What a viewer sees after `output`: its lines, with carriage return, line feed and "erase to the end" obeyed.
  static std::string screen(const std::string& output) {
    std::string lines;
    std::string line;
    size_t column = 0;
    for (size_t i = 0; i < output.size(); ++i) {
      if (output[i] == '\r') {
        column = 0;
      } else if (output[i] == '\n') {
        lines += line + '\n';
        line.clear();
        column = 0;
      } else if (output.compare(i, 3, "\033[K") == 0) {
        line.resize(column);
        i += 2;
      } else {
        line.resize(std::max(line.size(), column + 1), ' ');
        line[column++] = output[i];
      }
    }
    return lines + line;
  }

 private:
  int reader_ = -1;
  int writer_ = -1;
};

/// A console's output that goes to no terminal.
class TestFile {
 public:
  TestFile() : fd_(::memfd_create("console", 0)) {}
  ~TestFile() { ::close(fd_); }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  int fd() const { return fd_; }
  std::string read() const {
    std::string text(1U << 20U, '\0');
    const ssize_t count = ::pread(fd_, text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return text;
  }

 private:
  int fd_;
};

}  // namespace fastvideo::host
