#include "tools/check/report.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace fastvideo::host::conformance {
namespace {

// A message lies between two control characters: text outside of them is not the Reporter's.
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
  put(std::string{kOpen, kind} + text + kClose);
}

void Reporter::put(const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(descriptor_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::system_error(errno, std::generic_category(), "the report cannot be written");
    done += static_cast<size_t>(count);
  }
}

void Reporter::begin(const std::string& name) {
  if (for_people_)
    put(name + " ... ");
  else
    write(kBegin, name);
}

bool Reporter::end(Outcome outcome, const std::string& text) {
  if (outcome == Outcome::failed) ++failed_;
  if (for_people_)
    put(outcome_text({"", outcome, text}) + "\n");
  else
    write(static_cast<char>(outcome), text);
  return outcome != Outcome::failed;
}

void Reporter::complete() {
  if (!for_people_) write(kComplete, "");
}

std::string outcome_text(const Finding& finding) {
  if (finding.outcome == Outcome::passed) return "passed";
  const std::string why = finding.text.empty() ? "no reason is given" : finding.text;
  return (finding.outcome == Outcome::failed ? "FAILED: " : "skipped: ") + why;
}

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

}  // namespace fastvideo::host::conformance
