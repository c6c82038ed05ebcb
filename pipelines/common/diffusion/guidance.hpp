// Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace fastvideo {

/// Branches of guidance, in the order of their passes.
enum Branch : int32_t { kConditional = 0, kUnconditional = 1 };

/// The guidance scale: how far a prediction is driven away from the unconditional prediction.
struct Guidance {
  double scale;

  /// At a scale of 1 and below, the second forward pass would change nothing.
  bool is_on() const { return scale > 1.0; }
  int32_t branches() const { return is_on() ? 2 : 1; }

  /// u + s (c - u), in the common dtype of c and u.
  at::Tensor combine(const at::Tensor& conditional, const at::Tensor& unconditional) const {
    return unconditional + scale * (conditional - unconditional);
  }
};

}  // namespace fastvideo
