#include "tools/bench/attention_reference.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fastvideo::host {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t x = state_ += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
  }
  /// About normal: the sum of four uniform numbers, scaled to variance 1.
  float normal() {
    const uint64_t x = bits();
    const auto sum = static_cast<double>((x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32 & 0xFFFF) + (x >> 48));
    return static_cast<float>((sum / 65535 - 2) * std::sqrt(3.0));
  }
  int64_t below(int64_t limit) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(limit)); }

 private:
  uint64_t state_;
};

size_t elements(const AttentionShape& shape, int64_t length) {
  return static_cast<size_t>(shape.batch * length * shape.heads * shape.head_size);
}

// Where a row of D numbers begins in [B, length, H, D].
size_t offset(const AttentionShape& shape, int64_t length, int64_t batch, int64_t token, int64_t head) {
  return static_cast<size_t>(((batch * length + token) * shape.heads + head) * shape.head_size);
}

constexpr int64_t kPiece = 1 << 16;  // elements that one task makes or reads

int64_t pieces(size_t count) { return (static_cast<int64_t>(count) + kPiece - 1) / kPiece; }

// Calls body(first, last) on ranges of elements, on the host's threads.
template <class Body>
void for_elements(size_t count, const Host& host, Body&& body) {
  host.parallel_for(pieces(count), 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece)
      body(static_cast<size_t>(piece * kPiece), std::min(count, static_cast<size_t>((piece + 1) * kPiece)));
  });
}

void attend(const AttentionShape& shape, const AttentionInputs& in, double scale, ReferenceRow& row) {
  const auto size = static_cast<size_t>(shape.head_size);
  const size_t q = offset(shape, shape.queries, row.batch, row.query, row.head);
  std::vector<double> scores(static_cast<size_t>(shape.keys));
  for (int64_t j = 0; j < shape.keys; ++j) {
    const size_t k = offset(shape, shape.keys, row.batch, j, row.head);
    double sum = 0;
    for (size_t d = 0; d < size; ++d) sum += double{in.q.at(q + d)} * double{in.k.at(k + d)};
    scores[static_cast<size_t>(j)] = scale * sum;
  }
  const double most = *std::max_element(scores.begin(), scores.end());
  double total = 0;
  row.out.assign(size, 0);
  for (int64_t j = 0; j < shape.keys; ++j) {
    const double weight = std::exp(scores[static_cast<size_t>(j)] - most);
    const size_t v = offset(shape, shape.keys, row.batch, j, row.head);
    for (size_t d = 0; d < size; ++d) row.out[d] += weight * double{in.v.at(v + d)};
    total += weight;
  }
  for (double& one : row.out) one /= total;
}

}  // namespace

testing::Elements normal_elements(size_t count, fv_dtype dtype, uint64_t seed, const Host& host) {
  testing::Elements out(count, dtype);
  // Each piece has a seed of its own, so that threads do not change the numbers.
  for_elements(count, host, [&](size_t first, size_t last) {
    Random random(Random(seed + first).bits());
    for (size_t i = first; i < last; ++i) out.set(i, random.normal());
  });
  return out;
}

AttentionInputs::AttentionInputs(const AttentionShape& shape, fv_dtype dtype, uint64_t seed, const Host& host)
    : q(normal_elements(elements(shape, shape.queries), dtype, Random(seed).bits(), host)),
      k(normal_elements(elements(shape, shape.keys), dtype, Random(seed).bits() + 1, host)),
      v(normal_elements(elements(shape, shape.keys), dtype, Random(seed).bits() + 2, host)) {}

std::vector<ReferenceRow> reference_rows(const AttentionShape& shape, const AttentionInputs& inputs, double scale,
                                         size_t count, uint64_t seed, const Host& host) {
  Random random(seed);
  std::vector<ReferenceRow> rows{{0, 0, 0, {}}, {shape.batch - 1, shape.queries - 1, shape.heads - 1, {}}};
  while (rows.size() < count)
    rows.push_back({random.below(shape.batch), random.below(shape.queries), random.below(shape.heads), {}});
  host.parallel_for(static_cast<int64_t>(rows.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) attend(shape, inputs, scale, rows[static_cast<size_t>(i)]);
  });
  return rows;
}

AttentionError compare(const AttentionShape& shape, const testing::Elements& out, const std::vector<ReferenceRow>& rows,
                       const Host& host) {
  const size_t count = elements(shape, shape.queries);
  for_elements(count, host, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i)
      if (!std::isfinite(out.at(i)))
        throw std::runtime_error("element " + std::to_string(i) + " of " + std::to_string(count) +
                                 " of the output is not finite, or was not written");
  });
  double difference = 0, norm = 0, largest = 0;
  for (const ReferenceRow& row : rows) {
    const size_t first = offset(shape, shape.queries, row.batch, row.query, row.head);
    for (size_t d = 0; d < row.out.size(); ++d) {
      const double error = double{out.at(first + d)} - row.out[d];
      difference += error * error;
      norm += row.out[d] * row.out[d];
      largest = std::max(largest, std::fabs(error));
    }
  }
  return {norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference), largest};
}

}  // namespace fastvideo::host
