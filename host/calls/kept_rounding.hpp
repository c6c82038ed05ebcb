// How a thread computes, kept over a call of a plugin that comes for every layer.
#pragma once

#include <cfenv>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace fastvideo {

/// Rounding of this thread, and on x86 what becomes of denormal numbers: afterwards as before. Reads the SSE unit's
/// register alone, since the old unit's, which fegetround asks, takes longer than all else of such a call.
class KeptRounding {
 public:
  KeptRounding() = default;
  ~KeptRounding() {
    if (control() != control_) put_back();
  }
  KeptRounding(const KeptRounding&) = delete;
  KeptRounding& operator=(const KeptRounding&) = delete;

 private:
#ifdef __SSE2__
  static unsigned control() { return _mm_getcsr() & ~0x3FU; }  // without the flags of what has happened
  void put_back() const {
    std::fesetround(static_cast<int>((control_ & 0x6000U) >> 3));  // the old unit's, too; the same two bits
    _mm_setcsr(control_);
  }
  unsigned control_ = control();
#else
  static int control() { return std::fegetround(); }
  void put_back() const { std::fesetround(control_); }
  int control_ = control();
#endif
};

}  // namespace fastvideo
