// Estimates of backends beside measured times.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>

#include "plugins/attention/common/tests/site.hpp"

namespace fastvideo {

/// A shape in bfloat16, and its measured time (docs/measured/attention_turns.md).
struct MeasuredShape {
  int64_t batch;
  int32_t heads;
  int64_t queries, keys;
  int32_t size;
  double milliseconds;
};

inline fv_attention_site site_of(const MeasuredShape& shape) {
  fv_attention_site site = self_site(FV_DEVICE_CUDA, kBFloat16, shape.queries, shape.heads, shape.size);
  site.batch = shape.batch;
  site.key_length = shape.keys;
  return site;
}

/// microseconds: of a site. Machines of one kind differ by some 3 %, and choosing needs no more than 15 %.
template <class Estimate>
void expect_estimates(std::initializer_list<MeasuredShape> shapes, const Estimate& microseconds) {
  for (const MeasuredShape& shape : shapes)
    EXPECT_NEAR(microseconds(site_of(shape)) / 1000 / shape.milliseconds, 1, 0.15)
        << shape.heads << " heads of " << shape.size << ", " << shape.queries << " x " << shape.keys;
}

}  // namespace fastvideo
