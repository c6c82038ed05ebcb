// What belongs to the whole process, and what a plugin may have changed of it in one of its functions.
#pragma once

#include <string>

namespace fastvideo::host {

/// Notes it as it is: standard descriptors, umask, working directory, floating-point environment. From here on it is
/// put back after functions of plugins. For main() alone, before any thread; without it the function below does
/// nothing.
void note_process_state() noexcept;

/// Puts back what was noted, where it is another now, the locale "C", and in the main thread that no signal is blocked:
/// no file of ours gets the number of a standard descriptor, another folder or other permissions than the user's. Takes
/// microseconds. Called after functions of plugins, and before an output is opened or a result is printed.
void restore_process_state() noexcept;

/// What had to be put back since the last call of this, "umask, working directory", or nothing: whoever checks a plugin
/// says so. Any thread.
std::string restored_process_state();

}  // namespace fastvideo::host
