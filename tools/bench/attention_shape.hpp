// Shapes of attention as they are written on the command line.
#pragma once

#include <cstdint>
#include <string>

namespace fastvideo::host {

/// Queries [B, Lq, H, D] against keys and values [B, Lk, H, D].
struct AttentionShape {
  int64_t batch = 1, heads = 1, queries = 1, keys = 1, head_size = 1;

  /// Two matrix products of a multiplication and an addition each: 4 B H Lq Lk D.
  double operations() const;
  /// "1,12,32760,128x512" as parse_attention_shape takes it
  std::string text() const;
};

/// B,H,L,D or B,H,Lq,DxLk (without x, as many keys as queries). Throws RequestError for other text, numbers below 1 and
/// tensors above 2^40 elements.
AttentionShape parse_attention_shape(const std::string& text);

}  // namespace fastvideo::host
