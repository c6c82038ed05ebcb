// Warpgroup matrix products: 128 threads together compute d += a b for d of 64 rows, a of 64 x depth and b of
// depth x n, while they go on with other work. A depth is 32 bytes of an operand's row: 16 elements of 16 bits, 32
// of 8. PTX ISA 9.0, section 9.7.15.
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
template <class Integer, int kCount>
__device__ inline void hold(Integer (&registers)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(registers[i])::"memory");
}

/// Bytes of an operand's row that one product takes.
constexpr int kDepthBytes = 32;

/// Describes an operand in shared memory: rows of kRowBytes, 64 or 128, swizzled by as much; groups of eight rows
/// follow each other. leading_bytes: distance of one panel of 128 bytes from the next, where a product spans several
/// (transposed b).
template <int kRowBytes>
__device__ inline uint64_t operand(const void* start, int leading_bytes = 16) {
  static_assert(kRowBytes == 64 || kRowBytes == 128);
  constexpr uint64_t kSwizzle = uint64_t{kRowBytes == 128 ? 1 : 2} << 62;
  constexpr uint64_t kGroup = 8 * kRowBytes;
  const uint64_t address = (shared_address(start) & 0x3FFFF) >> 4;
  return kSwizzle | (kGroup >> 4) << 32 | static_cast<uint64_t>(leading_bytes >> 4) << 16 | address;
}

/// The operand that starts `bytes` bytes further on.
__device__ inline uint64_t advance(uint64_t operand, int bytes) { return operand + (bytes >> 4); }

/// Elements of 8 bits, by name: CUDA's own class for e4m3 is no type of an operand.
struct Int8;
struct E4M3;

/// The instructions for products with n columns.
///   shared_shared<T, kAdd>: d = a b^T (+ d), a and b [rows, depth] in shared memory, rows of contiguous elements.
///     T: __nv_bfloat16, __half (sums float) or Int8 (sums int32_t)
///   register_shared<T>: d = a b + d, a in registers in the layout of the sums, b [16, n] in shared memory.
///     T: __nv_bfloat16, __half
///   register_shared_transposed: d = a b^T (+ d if add), elements E4M3, a in registers: 4 bytes for each of rows q and
///     q + 8 at columns 4 c, then for both at columns 16 + 4 c; b [n, 32] in shared memory
/// A sum's registers of a thread, with q = lane / 4 and c = lane % 4 of warp w: d[4 j + i] is the element of row
/// 16 w + q + 8 (i / 2) and column 8 j + 2 c + i % 2.
template <int n>
struct Wgmma;

// The instruction names every register, and assembler text cannot be computed: lists of ten are joined by macros.
#define FV_TEXT10(t) \
  "%" #t "0, %" #t "1, %" #t "2, %" #t "3, %" #t "4, %" #t "5, %" #t "6, %" #t "7, %" #t "8, %" #t "9, "
#define FV_TEXT_24 FV_TEXT10() FV_TEXT10(1) "%20, %21, %22, %23"
#define FV_TEXT_32 FV_TEXT10() FV_TEXT10(1) FV_TEXT10(2) "%30, %31"
#define FV_TEXT_36 FV_TEXT_32 ", %32, %33, %34, %35"
#define FV_TEXT_40 FV_TEXT10() FV_TEXT10(1) FV_TEXT10(2) "%30, %31, %32, %33, %34, %35, %36, %37, %38, %39"
#define FV_TEXT50 FV_TEXT10() FV_TEXT10(1) FV_TEXT10(2) FV_TEXT10(3) FV_TEXT10(4)
#define FV_TEXT_48 FV_TEXT_40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define FV_TEXT_56 FV_TEXT50 "%50, %51, %52, %53, %54, %55"
#define FV_TEXT60 FV_TEXT10() FV_TEXT10(1) FV_TEXT10(2) FV_TEXT10(3) FV_TEXT10(4) FV_TEXT10(5)
#define FV_TEXT_64 FV_TEXT60 "%60, %61, %62, %63"
#define FV_TEXT_68 FV_TEXT_64 ", %64, %65, %66, %67"
#define FV_TEXT_72 FV_TEXT60 FV_TEXT10(6) "%70, %71"
#define FV_TEXT_80 FV_TEXT60 FV_TEXT10(6) "%70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define FV_TEXT_88 FV_TEXT60 FV_TEXT10(6) FV_TEXT10(7) "%80, %81, %82, %83, %84, %85, %86, %87"

#define FV_SUMS10(c, t) \
  c(d[t##0]), c(d[t##1]), c(d[t##2]), c(d[t##3]), c(d[t##4]), c(d[t##5]), c(d[t##6]), c(d[t##7]), c(d[t##8]), c(d[t##9])
#define FV_SUMS_24(c) FV_SUMS10(c, ), FV_SUMS10(c, 1), c(d[20]), c(d[21]), c(d[22]), c(d[23])
#define FV_SUMS_32(c) FV_SUMS10(c, ), FV_SUMS10(c, 1), FV_SUMS10(c, 2), c(d[30]), c(d[31])
#define FV_SUMS_36(c) FV_SUMS_32(c), c(d[32]), c(d[33]), c(d[34]), c(d[35])
#define FV_SUMS_40(c) FV_SUMS10(c, ), FV_SUMS10(c, 1), FV_SUMS10(c, 2), FV_SUMS10(c, 3)
#define FV_SUMS_48(c) FV_SUMS_40(c), c(d[40]), c(d[41]), c(d[42]), c(d[43]), c(d[44]), c(d[45]), c(d[46]), c(d[47])
#define FV_SUMS_56(c) FV_SUMS_40(c), FV_SUMS10(c, 4), c(d[50]), c(d[51]), c(d[52]), c(d[53]), c(d[54]), c(d[55])
#define FV_SUMS60(c) FV_SUMS10(c, ), FV_SUMS10(c, 1), FV_SUMS10(c, 2), FV_SUMS10(c, 3), FV_SUMS10(c, 4), FV_SUMS10(c, 5)
#define FV_SUMS_64(c) FV_SUMS60(c), c(d[60]), c(d[61]), c(d[62]), c(d[63])
#define FV_SUMS_68(c) FV_SUMS_64(c), c(d[64]), c(d[65]), c(d[66]), c(d[67])
#define FV_SUMS_72(c) FV_SUMS60(c), FV_SUMS10(c, 6), c(d[70]), c(d[71])
#define FV_SUMS_80(c) FV_SUMS60(c), FV_SUMS10(c, 6), FV_SUMS10(c, 7)
#define FV_SUMS_88(c)                                                                                         \
  FV_SUMS60(c), FV_SUMS10(c, 6), FV_SUMS10(c, 7), c(d[80]), c(d[81]), c(d[82]), c(d[83]), c(d[84]), c(d[85]), \
      c(d[86]), c(d[87])

// count: sums of a thread, n / 2; i0...: the numbers of the operands behind them; c: the constraint of the sums.
#define FV_SHARED_SHARED(n, types, flags, count, c, i0, i1, add)                                                  \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, " #add                                                       \
               ", 0;\n\t"                                                                                         \
               "wgmma.mma_async.sync.aligned.m64n" #n types " {" FV_TEXT_##count "}, %" #i0 ", %" #i1 ", p" flags \
                                                                                 ";\n\t}"                         \
               : FV_SUMS_##count(c)                                                                               \
               : "l"(a), "l"(b))
#define FV_REGISTER_SHARED(n, types, flags, count, c, i0, i1, i2, i3, i4, add)           \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, " #add                              \
               ", 0;\n\t"                                                                \
               "wgmma.mma_async.sync.aligned.m64n" #n types " {" FV_TEXT_##count         \
               "}, {%" #i0 ", %" #i1 ", %" #i2 ", %" #i3 "}, %" #i4 ", p" flags ";\n\t}" \
               : FV_SUMS_##count(c)                                                      \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))

#define FV_SCORES_16(n, count, i0, i1)                                                    \
  template <class T, bool kAdd>                                                           \
  __device__ static void shared_shared(float(&d)[n / 2], uint64_t a, uint64_t b) {        \
    if constexpr (std::is_same_v<T, __nv_bfloat16>) {                                     \
      if constexpr (kAdd)                                                                 \
        FV_SHARED_SHARED(n, "k16.f32.bf16.bf16", ", 1, 1, 0, 0", count, "+f", i0, i1, 1); \
      else                                                                                \
        FV_SHARED_SHARED(n, "k16.f32.bf16.bf16", ", 1, 1, 0, 0", count, "=f", i0, i1, 0); \
    } else {                                                                              \
      if constexpr (kAdd)                                                                 \
        FV_SHARED_SHARED(n, "k16.f32.f16.f16", ", 1, 1, 0, 0", count, "+f", i0, i1, 1);   \
      else                                                                                \
        FV_SHARED_SHARED(n, "k16.f32.f16.f16", ", 1, 1, 0, 0", count, "=f", i0, i1, 0);   \
    }                                                                                     \
  }
#define FV_SCORES_8(n, count, i0, i1)                                                \
  template <class T, bool kAdd>                                                      \
  __device__ static void shared_shared(int32_t(&d)[n / 2], uint64_t a, uint64_t b) { \
    if constexpr (kAdd)                                                              \
      FV_SHARED_SHARED(n, "k32.s32.s8.s8", "", count, "+r", i0, i1, 1);              \
    else                                                                             \
      FV_SHARED_SHARED(n, "k32.s32.s8.s8", "", count, "=r", i0, i1, 0);              \
  }
#define FV_VALUES_16(n, count, i0, i1, i2, i3, i4)                                                 \
  template <class T>                                                                               \
  __device__ static void register_shared(float(&d)[n / 2], const uint32_t* a, uint64_t b) {        \
    if constexpr (std::is_same_v<T, __nv_bfloat16>)                                                \
      FV_REGISTER_SHARED(n, "k16.f32.bf16.bf16", ", 1, 1, 1", count, "+f", i0, i1, i2, i3, i4, 1); \
    else                                                                                           \
      FV_REGISTER_SHARED(n, "k16.f32.f16.f16", ", 1, 1, 1", count, "+f", i0, i1, i2, i3, i4, 1);   \
  }
#define FV_VALUES_8(n, count, i0, i1, i2, i3, i4, i5)                                                           \
  __device__ static void register_shared_transposed(float(&d)[n / 2], const uint32_t* a, uint64_t b, int add) { \
    asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %" #i5                                                   \
                 ", 0;\n\t"                                                                                     \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k32.f32.e4m3.e4m3 {" FV_TEXT_##count                   \
                 "}, {%" #i0 ", %" #i1 ", %" #i2 ", %" #i3 "}, %" #i4 ", p, 1, 1;\n\t}"                         \
                 : FV_SUMS_##count("+f")                                                                        \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));                               \
  }

template <>
struct Wgmma<48> {
  FV_SCORES_16(48, 24, 24, 25)
};
template <>
struct Wgmma<80> {
  FV_SCORES_16(80, 40, 40, 41)
};
template <>
struct Wgmma<96> {
  FV_SCORES_16(96, 48, 48, 49)
};
template <>
struct Wgmma<112> {
  FV_SCORES_16(112, 56, 56, 57)
};
template <>
struct Wgmma<160> {
  FV_SCORES_16(160, 80, 80, 81)
};
template <>
struct Wgmma<64> {
  FV_SCORES_8(64, 32, 32, 33)
  FV_VALUES_16(64, 32, 32, 33, 34, 35, 36)
};
template <>
struct Wgmma<72> {
  FV_VALUES_8(72, 36, 36, 37, 38, 39, 40, 41)
};
template <>
struct Wgmma<128> {
  FV_SCORES_16(128, 64, 64, 65)
  FV_SCORES_8(128, 64, 64, 65)
  FV_VALUES_16(128, 64, 64, 65, 66, 67, 68)
};
template <>
struct Wgmma<136> {
  FV_VALUES_8(136, 68, 68, 69, 70, 71, 72, 73)
};
template <>
struct Wgmma<144> {
  FV_SCORES_16(144, 72, 72, 73)
};
template <>
struct Wgmma<176> {
  FV_SCORES_16(176, 88, 88, 89)
};

#undef FV_TEXT10
#undef FV_TEXT_24
#undef FV_TEXT_40
#undef FV_TEXT_48
#undef FV_TEXT_56
#undef FV_TEXT_80
#undef FV_TEXT_32
#undef FV_TEXT_36
#undef FV_TEXT50
#undef FV_TEXT60
#undef FV_TEXT_64
#undef FV_TEXT_68
#undef FV_TEXT_72
#undef FV_TEXT_88
#undef FV_SUMS10
#undef FV_SUMS_24
#undef FV_SUMS_40
#undef FV_SUMS_48
#undef FV_SUMS_56
#undef FV_SUMS_80
#undef FV_SUMS_32
#undef FV_SUMS_36
#undef FV_SUMS60
#undef FV_SUMS_64
#undef FV_SUMS_68
#undef FV_SUMS_72
#undef FV_SUMS_88
#undef FV_SHARED_SHARED
#undef FV_REGISTER_SHARED
#undef FV_SCORES_16
#undef FV_SCORES_8
#undef FV_VALUES_16
#undef FV_VALUES_8

}  // namespace fastvideo::hopper
