// Where the running program is installed.
#pragma once

#include "host/config/installation.hpp"

namespace fastvideo::host {

/// The installation of the program, which lies in bin/ or among the tools, from /proc/self/exe. Throws RequestError if
/// that cannot be read.
Installation own_installation();

/// Programs that go on with a command of `fastvideo`: fastvideo-bench and others.
std::filesystem::path tools_of(const Installation& installation);

}  // namespace fastvideo::host
