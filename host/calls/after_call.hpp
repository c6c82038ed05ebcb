// What is done after functions of plugins.
#pragma once

namespace fastvideo::host {

/// Calls what was set; nothing in somebody else's process. [any thread]
void after_call() noexcept;

/// The program sets once what puts its process in order again. Before any other thread is there.
void set_after_call(void (*put_in_order)() noexcept) noexcept;

/// A function of a plugin had left another floating-point mode, which has been put back. [any thread]
void note_restored_mode() noexcept;
/// Whether that was noted since the last call of this. [any thread]
bool take_restored_mode() noexcept;

}  // namespace fastvideo::host
