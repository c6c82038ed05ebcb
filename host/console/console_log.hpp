// The program's log: lines "LEVEL mm-dd HH:MM:SS.mmm [source] message" on a console.
#pragma once

#include "host/console/console.hpp"

namespace fastvideo::host {

/// From now on messages go there. Each line of a text of several lines gets the prefix, and from the second on a bar.
/// The console is borrowed until it is replaced.
void log_to(Console& console);

}  // namespace fastvideo::host
