// Loops compiled for several instruction sets, the widest that this CPU has chosen at run time: the binary itself is
// built for any x86-64.
#pragma once

namespace fastvideo::wan {

#if defined(__x86_64__)
template <class Body>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")]] void with_avx512(Body& body) {
  body();
}

template <class Body>
[[gnu::target("avx2,fma")]] void with_avx2(Body& body) {
  body();
}
#endif

/// Calls body, an always_inline lambda, compiled for the widest vectors of this CPU.
template <class Body>
void with_widest_vectors(Body body) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    return with_avx512(body);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return with_avx2(body);
#endif
  body();
}

}  // namespace fastvideo::wan
