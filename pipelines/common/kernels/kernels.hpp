// Fused CUDA kernels for the operations between matrix products and attention: each reads its rows once and writes them
// once. Raw pointers, sizes and a stream; no CUDA header is needed here. Statistics and arithmetic are float32, every
// result is rounded once. A build without nvcc has none of them: built() says so, and callers use LibTorch's operators.
#pragma once

#include <cstdint>
#include <string>

namespace fastvideo::kernels {

/// Whether this build has the kernels.
bool built();

/// Whether a CUDA device can run them: compute capability 8.0 or later. False without a driver.
bool runs_on(int device);

enum class Element { float32, float16, bfloat16 };

/// sum = x + gate * y, then out = (sum - mean) / sqrt(variance + eps) * scale + shift over the channels (Ba et al.
/// 2016, arXiv 1607.06450), of the rounded sum. Without y, out is the norm of x; without out, only the sum is computed.
struct AddNorm {
  Element element;  ///< of x, y, sum, out: [batch, tokens, channels], contiguous
  int64_t batch, tokens, channels;
  const void* x;
  const void* y;  ///< nullptr: no sum
  void* sum;      ///< may be x or y
  void* out;      ///< nullptr: no norm; may be x or y unless sum is
  /// float32 [batch, channels], rows so many elements apart (0: one row for all). nullptr: 1, 1, 0.
  const float *gate, *scale, *shift;
  int64_t gate_stride, scale_stride, shift_stride;
  float eps;
};

/// out = x / sqrt(mean(x^2) + eps) * weight over the channels, then the rotation and SiLU if asked for.
struct RmsNorm {
  Element element;         ///< of x and out: [rows, channels], contiguous
  Element weight_element;  ///< element or float32
  int64_t rows, channels;
  const void* x;
  void* out;  ///< may be x
  const void* weight;
  float eps;
  /// A rotation of the channel pairs (2i, 2i + 1) of each head, or nullptr: float32 [tokens, head_size / 2]; row r has
  /// token r % tokens.
  const float *cos, *sin;
  int64_t tokens, head_size;
  bool silu;  ///< y / (1 + e^-y) last
};

/// Why a call cannot be launched: sizes and pointers that are no multiples of 16 bytes, rows too long. Empty if it can
/// be launched.
std::string refusal(const AddNorm& call);
std::string refusal(const RmsNorm& call);

/// Enqueues a call on a stream of a device; the current device is the same afterwards. Throws std::runtime_error with
/// CUDA's message, std::invalid_argument for a call that cannot be launched.
void launch(const AddNorm& call, int device, void* stream);
void launch(const RmsNorm& call, int device, void* stream);

}  // namespace fastvideo::kernels
