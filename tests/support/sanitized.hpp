// Whether this test, or the program that it runs, was built with a sanitizer.
#pragma once

namespace fastvideo::test {

/// Sanitizers answer crashes themselves, take terabytes of address space, and most of the time is theirs.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(FASTVIDEO_RUNS_SANITIZED)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace fastvideo::test
