// The program: from arguments to an exit code.
#pragma once

#include <string>
#include <vector>

namespace fastvideo {

/// Does what the arguments (without the program's name) ask for: results go to standard output, messages to standard
/// error. Returns the exit code: 0 done, 1 failed while running, 2 asked for something impossible, 130 cancelled. Never
/// throws. Call it once a process.
int run_program(const std::vector<std::string>& arguments) noexcept;

}  // namespace fastvideo
