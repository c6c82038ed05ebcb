// Warpgroup matrix products: 128 threads together compute d += a b for d of 64 rows, a of 64 x 16 and b of 16 x n,
// while they go on with other work. PTX ISA 9.0, section 9.7.15.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "plugins/attention/common/hopper/barrier.cuh"

namespace fastvideo::hopper {

/// Opens a batch of products: registers written before are seen by them.
__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

/// Closes a batch.
__device__ inline void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

/// Waits until at most kPending batches are still at work.
template <int kPending>
__device__ inline void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

/// Keeps the compiler from moving accesses to registers that a product works on across this place.
template <int kCount>
__device__ inline void hold(float (&registers)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(registers[i])::"memory");
}
template <int kCount>
__device__ inline void hold(uint32_t (&registers)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(registers[i])::"memory");
}

/// Bytes of a swizzled row, and of eight of them: the unit in which operands lie in shared memory.
constexpr int kSwizzleBytes = 128;
constexpr int kSwizzleAtom = 8 * kSwizzleBytes;

/// Describes an operand in shared memory, swizzled by 128 bytes. Rows of 128 bytes; groups of eight rows follow each
/// other. leading_bytes: distance of one 64-column panel from the next, where a product spans several (transposed b).
__device__ inline uint64_t operand(const void* start, int leading_bytes = 16) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  const uint64_t address = (shared_address(start) & 0x3FFFF) >> 4;
  return kSwizzle128 | uint64_t{kSwizzleAtom >> 4} << 32 | static_cast<uint64_t>(leading_bytes >> 4) << 16 | address;
}

/// The operand that starts so many bytes further on.
__device__ inline uint64_t advance(uint64_t operand, int bytes) { return operand + (bytes >> 4); }

/// The instructions for products with n columns. Elements T are __nv_bfloat16 or __half, sums float.
///   shared_shared: d = a b^T (+ d), a and b [rows, 16] in shared memory, rows of contiguous elements
///   register_shared: d = a b + d, a in registers in the layout of the sums, b [16, n] in shared memory
/// A sum's registers of a thread, with q = lane / 4 and c = lane % 4 of warp w: d[4 j + i] is the element of row
/// 16 w + q + 8 (i / 2) and column 8 j + 2 c + i % 2.
template <int n>
struct Wgmma;

// The instruction names every register, and assembler text cannot be computed: lists of ten are joined by macros.
#define FV_TEXT10(t) \
  "%" #t "0, %" #t "1, %" #t "2, %" #t "3, %" #t "4, %" #t "5, %" #t "6, %" #t "7, %" #t "8, %" #t "9, "
#define FV_SUMS10(t)                                                                                       \
  "+f"(d[t##0]), "+f"(d[t##1]), "+f"(d[t##2]), "+f"(d[t##3]), "+f"(d[t##4]), "+f"(d[t##5]), "+f"(d[t##6]), \
      "+f"(d[t##7]), "+f"(d[t##8]), "+f"(d[t##9])
#define FV_TEXT30 FV_TEXT10() FV_TEXT10(1) FV_TEXT10(2)
#define FV_TEXT60 FV_TEXT30 FV_TEXT10(3) FV_TEXT10(4) FV_TEXT10(5)
#define FV_SUMS30 FV_SUMS10(), FV_SUMS10(1), FV_SUMS10(2)
#define FV_SUMS60 FV_SUMS30, FV_SUMS10(3), FV_SUMS10(4), FV_SUMS10(5)

#define FV_SHARED_SHARED(n, type, text, sums, i0, i1, i2)                                                     \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %" #i2                                                   \
               ", 0;\n\t"                                                                                     \
               "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" text "}, %" #i0 ", %" #i1 \
               ", p, 1, 1, 0, 0;\n\t}"                                                                        \
               : sums                                                                                         \
               : "l"(a), "l"(b), "r"(accumulate))
#define FV_REGISTER_SHARED(n, type, text, sums, i0, i1, i2, i3, i4)                                            \
  asm volatile("wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" text "}, {%" #i0 ", %" #i1 \
               ", %" #i2 ", %" #i3 "}, %" #i4 ", 1, 1, 1, 1;"                                                  \
               : sums                                                                                          \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
#define FV_WGMMA(n, text, sums, i0, i1, i2, i3, i4)                                                   \
  template <>                                                                                         \
  struct Wgmma<n> {                                                                                   \
    template <class T>                                                                                \
    __device__ static void shared_shared(float (&d)[n / 2], uint64_t a, uint64_t b, int accumulate) { \
      if constexpr (std::is_same_v<T, __nv_bfloat16>)                                                 \
        FV_SHARED_SHARED(n, "bf16", text, FV_EXPAND(sums), i0, i1, i2);                               \
      else                                                                                            \
        FV_SHARED_SHARED(n, "f16", text, FV_EXPAND(sums), i0, i1, i2);                                \
    }                                                                                                 \
    template <class T>                                                                                \
    __device__ static void register_shared(float (&d)[n / 2], const uint32_t* a, uint64_t b) {        \
      if constexpr (std::is_same_v<T, __nv_bfloat16>)                                                 \
        FV_REGISTER_SHARED(n, "bf16", text, FV_EXPAND(sums), i0, i1, i2, i3, i4);                     \
      else                                                                                            \
        FV_REGISTER_SHARED(n, "f16", text, FV_EXPAND(sums), i0, i1, i2, i3, i4);                      \
    }                                                                                                 \
  }
#define FV_EXPAND(list) FV_EXPAND_ list
#define FV_EXPAND_(...) __VA_ARGS__

FV_WGMMA(64, FV_TEXT30 "%30, %31", (FV_SUMS30, "+f"(d[30]), "+f"(d[31])), 32, 33, 34, 35, 36);
FV_WGMMA(128, FV_TEXT60 "%60, %61, %62, %63", (FV_SUMS60, "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])), 64, 65,
         66, 67, 68);
FV_WGMMA(176, FV_TEXT60 FV_TEXT10(6) FV_TEXT10(7) "%80, %81, %82, %83, %84, %85, %86, %87",
         (FV_SUMS60, FV_SUMS10(6), FV_SUMS10(7), "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]), "+f"(d[84]),
          "+f"(d[85]), "+f"(d[86]), "+f"(d[87])),
         88, 89, 90, 91, 92);
FV_WGMMA(192, FV_TEXT60 FV_TEXT10(6) FV_TEXT10(7) FV_TEXT10(8) "%90, %91, %92, %93, %94, %95",
         (FV_SUMS60, FV_SUMS10(6), FV_SUMS10(7), FV_SUMS10(8), "+f"(d[90]), "+f"(d[91]), "+f"(d[92]), "+f"(d[93]),
          "+f"(d[94]), "+f"(d[95])),
         96, 97, 98, 99, 100);

#undef FV_TEXT10
#undef FV_SUMS10
#undef FV_TEXT30
#undef FV_TEXT60
#undef FV_SUMS30
#undef FV_SUMS60
#undef FV_SHARED_SHARED
#undef FV_REGISTER_SHARED
#undef FV_WGMMA
#undef FV_EXPAND
#undef FV_EXPAND_

}  // namespace fastvideo::hopper
