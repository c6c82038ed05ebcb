// Opens a library that was made for Python in a process without Python.
#pragma once

#include <filesystem>
#include <functional>

namespace fastvideo::fa3 {

/// Opens an extension module of a Python package for the operators that it registers with LibTorch, and leaves it open.
/// Once per process: a second library of the same operators would end the process. Throws std::runtime_error, which
/// begins with the file: the file cannot be opened (with the dynamic linker's message); it registers no operator
/// (`registered` stays false); or another library has registered the operator. [one thread: the loader's]
void open_operators(const std::filesystem::path& library, const std::function<bool()>& registered);

}  // namespace fastvideo::fa3
