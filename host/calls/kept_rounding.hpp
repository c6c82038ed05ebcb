// How a thread computes, kept over a call of a plugin that comes for every layer.
#pragma once

#include <cfenv>

#include "host/calls/after_call.hpp"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace fastvideo::host {

/// How this thread rounds, and on x86 what becomes of denormal numbers. Of the SSE unit's register alone there, since
/// to ask the old unit, as fegetround does, takes longer than all else of such a call.
inline unsigned floating_point_mode() {
#ifdef __SSE2__
  return _mm_getcsr() & ~0x3FU;  // without the flags of what has happened
#else
  return static_cast<unsigned>(std::fegetround());
#endif
}

/// The mode of this thread: afterwards as before.
class KeptRounding {
 public:
  KeptRounding() = default;
  ~KeptRounding() {
    if (floating_point_mode() != mode_) put_back();
  }
  KeptRounding(const KeptRounding&) = delete;
  KeptRounding& operator=(const KeptRounding&) = delete;

 private:
  void put_back() const {
    note_restored_mode();
#ifdef __SSE2__
    std::fesetround(static_cast<int>((mode_ & 0x6000U) >> 3));  // the old unit's, too; the same two bits
    _mm_setcsr(mode_);
#else
    std::fesetround(static_cast<int>(mode_));
#endif
  }
  unsigned mode_ = floating_point_mode();
};

}  // namespace fastvideo::host
