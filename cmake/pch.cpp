// CMake makes a precompiled header of a target that has a source: this one.
