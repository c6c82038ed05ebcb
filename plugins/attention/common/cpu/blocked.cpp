#include "plugins/attention/common/cpu/blocked.hpp"

#include <stdexcept>
#include <vector>

#include "plugins/attention/common/cpu/blocked_kernels.hpp"

namespace fastvideo::cpu {
namespace {

Strides strides_of(const fv_tensor& t) {
  Strides result{};
  for (int i = 0; i < t.ndim; ++i) result.s[i] = t.strides[i];
  return result;
}

// Strides of a mask over [batch, heads, queries, keys]: 0 where it has length 1.
Strides broadcast_strides(const fv_tensor& mask, const CallShape& s) {
  const int64_t full[4] = {s.batch, s.heads, s.queries, s.keys};
  Strides result{};
  if (mask.ndim != 4) throw std::invalid_argument("attention: a mask of " + std::to_string(mask.ndim) + " dimensions");
  for (int i = 0; i < 4; ++i) {
    if (mask.shape[i] != 1 && mask.shape[i] != full[i])
      throw std::invalid_argument("attention: a mask of " + fastvideo::detail::shape_text(mask.shape, 4) +
                                  " does not broadcast to " + fastvideo::detail::shape_text(full, 4));
    result.s[i] = mask.shape[i] == 1 ? 0 : mask.strides[i];
  }
  return result;
}

template <class T>
float added(const void* row, int64_t offset) {
  return to_float(static_cast<const T*>(row)[offset]) * std::numbers::log2e_v<float>;
}

float forbidden_or_zero(const void* row, int64_t offset) {
  return static_cast<const uint8_t*>(row)[offset] != 0 ? 0.0F : -std::numeric_limits<float>::infinity();
}

}  // namespace

int64_t Job::keys_of(int64_t b) const {
  return key_lengths == nullptr ? shape.keys : std::clamp<int64_t>(key_lengths[b], 0, shape.keys);
}

Job make_job(const fv_attention_site& site, const fv_attention_args& args) {
  Job job{};
  job.shape = check_call(site, args);
  job.q = data_of(*args.q);
  job.k = data_of(*args.k);
  job.v = data_of(*args.v);
  job.out = data_of(*args.out);
  job.q_strides = strides_of(*args.q);
  job.k_strides = strides_of(*args.k);
  job.v_strides = strides_of(*args.v);
  job.out_strides = strides_of(*args.out);
  job.scale = static_cast<float>(site.scale);
  if (args.key_lengths != nullptr) job.key_lengths = static_cast<const int32_t*>(data_of(*args.key_lengths));
  if (args.log_sum_exp != nullptr) {
    job.log_sum_exp = static_cast<float*>(data_of(*args.log_sum_exp));
    job.log_sum_exp_strides = strides_of(*args.log_sum_exp);
  }
  if (args.mask != nullptr) {
    job.mask = data_of(*args.mask);
    job.mask_dtype = args.mask->dtype;
    job.mask_strides = broadcast_strides(*args.mask, job.shape);
  }
  return job;
}

uint64_t packed_bytes(const CallShape& shape) {
  return static_cast<uint64_t>(pack_tasks(shape)) * packed_block(shape.size) * sizeof(float);
}

int64_t pack_tasks(const CallShape& s) { return s.kv_heads * ((s.keys + kBlockKeys - 1) / kBlockKeys); }

DenseTiles::DenseTiles(const CallShape& s) : all_{0, s.keys} {
  tiles_.reserve(static_cast<size_t>(s.heads * ((s.queries + kTileQueries - 1) / kTileQueries)));
  for (int64_t head = 0; head < s.heads; ++head)
    for (int64_t first = 0; first < s.queries; first += kTileQueries)
      tiles_.push_back({head, first, std::min(kTileQueries, s.queries - first), {&all_, 1}});
}

void apply_mask(const Job& job, int64_t b, int64_t head, int64_t first_query, int64_t rows, int64_t first_key,
                int64_t keys, float* scores) {
  const auto term = same_dtype(job.mask_dtype, kBool)       ? forbidden_or_zero
                    : same_dtype(job.mask_dtype, kFloat32)  ? added<float>
                    : same_dtype(job.mask_dtype, kBFloat16) ? added<BFloat16>
                    : same_dtype(job.mask_dtype, kFloat16)  ? added<Float16>
                                                            : nullptr;
  if (term == nullptr) throw std::invalid_argument("attention: a mask of " + dtype_name(job.mask_dtype));
  const auto& ms = job.mask_strides.s;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t start = b * ms[0] + head * ms[1] + (first_query + i) * ms[2] + first_key * ms[3];
    for (int64_t j = 0; j < keys; ++j) scores[i * kBlockKeys + j] += term(job.mask, start + j * ms[3]);
  }
}

namespace {

// One entry point for each element type and instruction set. Register tiles: 24 sums, 4 vectors and a broadcast of 32
// registers, or 12, 2 and 1 of 16.
template <class T>
struct Baseline {
  static void pack(const Job& job, int64_t b, float* packed, int64_t begin, int64_t end) {
    pack_blocks<T>(job, b, packed, begin, end);
  }
  static void attend(const Job& job, int64_t b, const float* packed, std::span<const QueryTile> tiles) {
    attend_tiles<T, 4, 6, 2>(job, b, packed, tiles);
  }
};

#if defined(__x86_64__) && defined(__GNUC__)
template <class T>
struct Avx2 {
  [[gnu::target("avx2,fma,bmi2"), gnu::flatten]] static void pack(const Job& job, int64_t b, float* packed,
                                                                  int64_t begin, int64_t end) {
    pack_blocks<T>(job, b, packed, begin, end);
  }
  [[gnu::target("avx2,fma,bmi2"), gnu::flatten]] static void attend(const Job& job, int64_t b, const float* packed,
                                                                    std::span<const QueryTile> tiles) {
    attend_tiles<T, 8, 6, 2>(job, b, packed, tiles);
  }
};

template <class T>
struct Avx512 {
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,fma,bmi2"), gnu::flatten]] static void pack(
      const Job& job, int64_t b, float* packed, int64_t begin, int64_t end) {
    pack_blocks<T>(job, b, packed, begin, end);
  }
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,fma,bmi2"), gnu::flatten]] static void attend(
      const Job& job, int64_t b, const float* packed, std::span<const QueryTile> tiles) {
    attend_tiles<T, 16, 6, 4>(job, b, packed, tiles);
  }
};
#endif

template <class T>
std::vector<Kernels> runnable() {
  std::vector<Kernels> found;
#if defined(__x86_64__) && defined(__GNUC__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512) found.push_back({"avx512", Avx512<T>::pack, Avx512<T>::attend});
  if (avx2) found.push_back({"avx2", Avx2<T>::pack, Avx2<T>::attend});
#endif
  found.push_back({"baseline", Baseline<T>::pack, Baseline<T>::attend});
  return found;
}

}  // namespace

std::span<const Kernels> kernels_for(fv_dtype dtype) {
  static const std::vector<Kernels> float32 = runnable<float>(), bfloat16 = runnable<BFloat16>(),
                                    float16 = runnable<Float16>();
  if (same_dtype(dtype, kFloat32)) return float32;
  if (same_dtype(dtype, kBFloat16)) return bfloat16;
  if (same_dtype(dtype, kFloat16)) return float16;
  throw std::invalid_argument("attention on the CPU in " + dtype_name(dtype) + ": float32, bfloat16 or float16");
}

}  // namespace fastvideo::cpu
