// Returns freed memory to the system.
#pragma once

#include <cstdlib>  // says whether the C library is glibc
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace fastvideo {

/// glibc keeps freed blocks of less than 32 MB on its heap, which fragments with use: the blocks that one stage freed
/// would add to the peak of the next. Takes milliseconds.
inline void give_back_freed_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace fastvideo
