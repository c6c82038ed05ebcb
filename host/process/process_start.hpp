// What a program puts right before it does anything: the process that it inherited may be odd.
#pragma once

namespace fastvideo::host {

/// For main() alone, before any thread and any file: it changes the whole process.
/// - Standard descriptors that are closed become /dev/null, so that no file of ours gets their numbers.
/// - What a plugin could change of the process is noted (process_state.hpp).
/// - SIGCHLD has its default again (ignored, programs that we start would have no exit status), no signal is blocked.
/// - A reader of our output that goes away (SIGPIPE) and a limit on file sizes (SIGXFSZ) end no process: the write
///   fails and says why. Programs that we start have the defaults.
/// - A file that is mapped into memory and is cut short (SIGBUS) ends the process with exit code 1, naming the file.
/// - Exceptions that nothing catches end it with a message; memory that is not there with exit code 1.
/// - Whatever way it ends, remove_leftovers() is called.
void prepare_process() noexcept;

/// Whether SIGPIPE was ignored when prepare_process() came: then a closed pipe is an error like others.
bool ignores_closed_pipes() noexcept;

}  // namespace fastvideo::host
