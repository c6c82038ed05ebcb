// fastvideo/input_file.hpp - files from untrusted sources: kind of file, size and nesting are checked before a parser
// sees the text.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "fastvideo/broken_link.hpp"
#include "fastvideo/core.hpp"

namespace fastvideo {

/// Limit on the nesting of brackets in a file: parsers recurse, and the stack is finite. Real files nest less than a
/// tenth of it.
inline constexpr int kDeepestNesting = 64;

/// A regular file, open for reading. Opening never waits: a FIFO or a device is refused. Movable; one thread.
class InputFile {
 public:
  /// Throws Refused "FILE: why" if the file does not exist, is not a regular file, or cannot be opened.
  explicit InputFile(std::string file) : file_(std::move(file)) {
    struct stat status {};
    // The kind of file first: opening a device may have side effects.
    if (::stat(file_.c_str(), &status) != 0) refuse_errno(errno);
    require_regular(status);
    descriptor_ = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor_ < 0) refuse_errno(errno);
    try {
      if (::fstat(descriptor_, &status) != 0) refuse_errno(errno);
      require_regular(status);
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
    bytes_ = static_cast<uint64_t>(status.st_size);
  }
  InputFile(InputFile&& other) noexcept
      : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)), bytes_(other.bytes_) {}
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// The size of the file when it was opened, in bytes.
  uint64_t bytes() const { return bytes_; }
  /// The file descriptor, which this object keeps and closes.
  int descriptor() const { return descriptor_; }
  /// Gives the descriptor to the caller, who closes it; read() and text() must not be called afterwards.
  int release() { return std::exchange(descriptor_, -1); }

  /// Fills `data` with `count` bytes from `offset` on. Throws Refused if the file ends earlier.
  void read(void* data, uint64_t count, uint64_t offset) const {
    for (uint64_t done = 0; done < count;) {
      const ssize_t got =
          ::pread(descriptor_, static_cast<char*>(data) + done, count - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) refuse_errno(errno);
      if (got == 0) refuse("ends after " + std::to_string(offset + done) + " bytes, while it is read: copy it again");
      done += static_cast<uint64_t>(got);
    }
  }

  /// The whole text, to the file's present end. Throws Refused above `most` bytes; `what` names the kind of file in
  /// that message: "a configuration".
  std::string text(uint64_t most, std::string_view what) const {
    const auto check = [&](uint64_t size) {
      if (size > most)
        refuse("has more than " + std::to_string(most) + " bytes (" + std::to_string(std::max(size, bytes_)) +
               "), which " + std::string(what) + " never has");
    };
    check(bytes_);
    std::string text(bytes_, '\0');
    uint64_t size = 0;
    while (true) {  // the end is where reading ends: files of /proc report 0 bytes
      if (size == text.size()) text.resize(size + 16384);
      const ssize_t got = ::pread(descriptor_, text.data() + size, text.size() - size, static_cast<off_t>(size));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) refuse_errno(errno);
      if (got == 0) break;
      size += static_cast<uint64_t>(got);
      check(size);
    }
    text.resize(size);
    return text;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const { throw Refused(file_ + ": " + why); }

  [[noreturn]] void refuse_errno(int error) const {
    if (const std::string link = broken_link(file_); !link.empty())
      refuse(link + ": put the file in its place, or make the link anew");
    if (error == ENOENT || error == ENOTDIR) refuse("cannot be read: No such file or directory");
    if (error == ENAMETOOLONG) refuse("cannot be read: a name is longer than one can be");
    refuse(std::string("cannot be read: ") + std::strerror(error));
  }

  void require_regular(const struct stat& status) const {
    if (S_ISREG(status.st_mode)) return;
    if (S_ISDIR(status.st_mode)) refuse("is a folder; a file is needed here");
    const char* kind = S_ISFIFO(status.st_mode) ? "a FIFO" : S_ISSOCK(status.st_mode) ? "a socket" : "a device";
    refuse(std::string("is ") + kind + " and not a regular file: write what it gives to a file, and name that");
  }

  std::string file_;
  int descriptor_ = -1;
  uint64_t bytes_ = 0;
};

/// The text of a regular file of at most `most` bytes. Throws Refused as InputFile does.
inline std::string read_input_file(const std::string& file, uint64_t most, std::string_view what) {
  return InputFile(file).text(most, what);
}

/// "FILE:LINE:COLUMN: ", for the byte at `offset` of a text.
inline std::string place_in(std::string_view text, size_t offset, const std::string& file) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return file + ":" + std::to_string(line) + ":" + std::to_string(offset - begin + 1) + ": ";
}

/// Throws Refused with the place if brackets of a JSON text are nested deeper than kDeepestNesting, or at a NUL, where
/// the parser would stop and ignore the rest. All other faults of the JSON text are left to the parser.
inline void require_shallow_json(std::string_view text, const std::string& file) {
  int depth = 0;
  bool quoted = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\0') throw Refused(place_in(text, at, file) + "is not JSON: the character NUL");
    if (quoted) {
      if (c == '\\') ++at;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepestNesting)
        throw Refused(place_in(text, at, file) + "nested more than " + std::to_string(kDeepestNesting) + " deep");
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

/// A message of a library's parser, truncated since it may quote a long text.
inline std::string quoted_reason(std::string_view reason) {
  constexpr size_t kMost = 300;
  if (reason.size() <= kMost) return std::string(reason);
  return std::string(reason.substr(0, kMost)) + "... (" + std::to_string(reason.size()) + " bytes)";
}

/// The first number of a JSON text larger than a double holds; an empty view at the text's end if there is none.
inline std::string_view number_beyond_double(std::string_view text) {
  bool quoted = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted && c == '\\') ++at;
    if (c == '"') quoted = !quoted;
    if (quoted || c < '0' || c > '9') continue;
    const size_t end = std::min(text.find_first_not_of("0123456789+-.eE", at), text.size());
    if (std::isinf(std::strtod(std::string(text.substr(at, end - at)).c_str(), nullptr)))
      return text.substr(at, end - at);
    at = end - 1;
  }
  return text.substr(text.size());
}

/// The message for a fault in a JSON text, with the place, made from an exception of nlohmann's parser.
template <class Exception>
std::string json_fault(std::string_view text, const std::string& file, const Exception& fault) {
  constexpr int kOutOfRange = 406;
  if (fault.id == kOutOfRange) {
    const std::string_view number = number_beyond_double(text);
    return place_in(text, static_cast<size_t>(number.data() - text.data()), file) + "the number " +
           quoted_reason(number) + " is larger than a double holds (1.8e308)";
  }
  // "[json.exception.parse_error.101] parse error at line 1, column 2: why"
  std::string_view reason = fault.what();
  const size_t line = reason.find("at line "), column = reason.find(", column "), why = reason.find(": ", column);
  if (line == std::string_view::npos || column == std::string_view::npos || why == std::string_view::npos)
    return file + ": is not JSON: " + quoted_reason(reason.substr(reason.find("] ") + 2));
  return file + ":" + std::string(reason.substr(line + 8, column - line - 8)) + ":" +
         std::string(reason.substr(column + 9, why - column - 9)) +
         ": is not JSON: " + quoted_reason(reason.substr(why + 2));
}

/// Parses JSON with nlohmann::json or ordered_json, which the caller includes. Of two values under one key the later
/// counts, as in Python. Throws Refused "FILE:LINE:COLUMN: is not JSON: why", also with the place of a number that no
/// double holds or of nesting that is too deep.
template <class Json>
Json parse_json(std::string_view text, const std::string& file) {
  require_shallow_json(text, file);
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const typename Json::exception& e) {
    throw Refused(json_fault(text, file, e));
  }
}

}  // namespace fastvideo
