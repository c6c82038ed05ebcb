// Findings of checks, and their report from a child process to its parent, readable even if the child died in between.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/calls/call_note.hpp"
#include "host/error/error.hpp"
#include "host/selection/border.hpp"
#include "tools/check/process_traces.hpp"

namespace fastvideo::host::conformance {

/// A plugin breaks a rule; the message has the act and the rule.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A check does not apply; the message says why.
class Skipped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Outcome : char { passed = '+', failed = '-', skipped = '~' };

/// One check and its outcome.
struct Finding {
  std::string check;
  Outcome outcome = Outcome::passed;
  std::string text;  ///< why it failed or was skipped
};

/// "passed", "FAILED: why", "skipped: why"
std::string outcome_text(const Finding& finding);

/// The exceptions of functions without a status during the current check; empty if none.
std::string& late_fault();

/// Calls a function without a status, which destroys or closes an object, in destructors too. Its exceptions are noted.
template <class Call>
void release(const char* function, Call&& call) noexcept {
  try {
    call();
  } catch (...) {
    late_fault() = thrown_by(function);
  }
}

/// Runs checks and writes their beginnings and ends to a file descriptor, unbuffered. One thread.
class Reporter {
 public:
  /// `plugin`: the plugin checked, for messages about a crash. `for_people`: lines of text instead of messages for
  /// read_report.
  explicit Reporter(int descriptor, std::string_view plugin = "the plugin", bool for_people = false)
      : descriptor_(descriptor), plugin_(kept_text(plugin)), for_people_(for_people) {}

  /// Runs one check: it fails with Fault or RequestError, is skipped with Skipped; any other exception was thrown by
  /// the plugin across the ABI. False if the check failed.
  template <class Body>
  bool check(const std::string& name, Body&& body) {
    begin(name);
    const CallNote note({kept_text("the check '" + name + "'"), plugin_, nullptr});
    late_fault().clear();
    const ProcessTraces traces;
    try {
      body();
      if (!late_fault().empty()) throw Fault(late_fault());
      if (const std::string left = traces.put_back(); !left.empty())
        throw Fault("it leaves the process changed (" + left + "); what belongs to the whole process is the program's");
    } catch (const Skipped& e) {
      end(Outcome::skipped, e.what());
      return true;
    } catch (const Fault& e) {
      return end(Outcome::failed, e.what());
    } catch (const RequestError& e) {
      return end(Outcome::failed, e.what());
    } catch (const std::exception& e) {
      return end(Outcome::failed, "threw an exception across the ABI: " + std::string(e.what()));
    } catch (...) {
      return end(Outcome::failed, "threw an exception across the ABI, which is no std::exception");
    }
    return end(Outcome::passed, "");
  }

  /// Reports that all checks are over: without this message the parent knows that the child ended too early.
  void complete();
  /// How many checks have failed so far.
  size_t failed() const { return failed_; }

 private:
  void begin(const std::string& name);
  bool end(Outcome outcome, const std::string& text);
  void write(char kind, std::string text);

  void put(const std::string& text);

  int descriptor_;
  const char* plugin_;
  bool for_people_;
  size_t failed_ = 0;
};

/// The report of a child process.
struct Report {
  std::vector<Finding> findings;
  std::string unfinished;  ///< the check that had begun and not ended; empty if none had
  bool complete = false;
  std::string stray;  ///< other text on the descriptor: a plugin's own output
};

/// Parses the output of a Reporter.
Report read_report(std::string_view written);

}  // namespace fastvideo::host::conformance
