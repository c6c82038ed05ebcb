// What the program says when a plugin ends it: by a crash, or by exit().
#pragma once

#include <csignal>
#include <string_view>

namespace fastvideo::host {

/// From now on SIGSEGV, SIGFPE, SIGABRT and SIGILL write one line that names the call of a plugin in progress (see
/// call_note.hpp), remove partial files and then end the process as they always do; a signal that somebody else handles
/// already (a sanitizer) is left alone. And exit(), called by anyone before result_is_known, says the same and ends the
/// process with 1. Call it first in main: exit handlers run in reverse order, so this one runs last.
void install_crash_notes();

/// The program has told its result: from now on exit() is its own business.
void result_is_known() noexcept;

/// Writes "fastvideo: WHAT in run of EVIL/cpu at dit.self; ..." to standard error and removes partial files: for
/// handlers of other signals. Async-signal-safe.
void write_crash_note(std::string_view what) noexcept;

/// The same of a signal, "crashed (SIGSEGV)"; of one that another process has sent only that, and no call of a plugin.
void write_signal_note(std::string_view name, const siginfo_t& info) noexcept;

}  // namespace fastvideo::host
