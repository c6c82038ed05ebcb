#include "host/conformance/report.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace fastvideo::conformance {
namespace {

// A message lies between two control characters: whatever stands outside of them is not ours.
constexpr char kOpen = '\x1e';
constexpr char kClose = '\x1d';
constexpr char kBegin = '>';
constexpr char kComplete = '.';

}  // namespace

std::string& late_fault() {
  static std::string text;
  return text;
}

void Reporter::write(char kind, std::string text) {
  for (char& c : text)
    if (c == kOpen || c == kClose) c = '?';
  const std::string message = std::string{kOpen, kind} + text + kClose;
  for (size_t done = 0; done < message.size();) {
    const ssize_t count = ::write(descriptor_, message.data() + done, message.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::system_error(errno, std::generic_category(), "the report cannot be written");
    done += static_cast<size_t>(count);
  }
}

void Reporter::begin(const std::string& name) { write(kBegin, name); }

bool Reporter::end(Outcome outcome, const std::string& text) {
  write(static_cast<char>(outcome), text);
  return outcome != Outcome::failed;
}

void Reporter::complete() { write(kComplete, ""); }

Report read_report(std::string_view written) {
  Report report;
  while (!written.empty()) {
    const size_t open = written.find(kOpen);
    report.stray += written.substr(0, open);
    if (open == std::string_view::npos) break;
    const size_t close = written.find(kClose, open);
    if (close == std::string_view::npos || close < open + 2) break;
    const char kind = written[open + 1];
    const std::string text(written.substr(open + 2, close - open - 2));
    if (kind == kBegin) {
      report.unfinished = text;
    } else if (kind == kComplete) {
      report.complete = true;
    } else {
      report.findings.push_back({report.unfinished, static_cast<Outcome>(kind), text});
      report.unfinished.clear();
    }
    written.remove_prefix(close + 1);
  }
  return report;
}

}  // namespace fastvideo::conformance
