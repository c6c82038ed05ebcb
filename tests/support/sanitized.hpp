// Whether this test, or the program that it runs, was built with a sanitizer.
#pragma once

namespace fastvideo::test {

/// Sanitizers handle crashes themselves, reserve terabytes of address space, and take most of the time.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(FASTVIDEO_RUNS_SANITIZED)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace fastvideo::test
