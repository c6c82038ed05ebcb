#include "tools/bench/attention_reference.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fastvideo::host {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
  }
  /// About normal: the sum of four uniform numbers, scaled to variance 1.
  float normal() {
    const std::uint64_t x = bits();
    const auto sum = static_cast<double>((x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32 & 0xFFFF) + (x >> 48));
    return static_cast<float>((sum / 65535 - 2) * std::sqrt(3.0));
  }
  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(limit));
  }

 private:
  std::uint64_t state_;
};

std::size_t elements(const AttentionShape& shape, std::int64_t length) {
  return static_cast<std::size_t>(shape.batch * length * shape.heads * shape.head_size);
}

// Where a row of D numbers begins in [B, length, H, D].
std::size_t offset(const AttentionShape& shape, std::int64_t length, std::int64_t batch, std::int64_t token,
                   std::int64_t head) {
  return static_cast<std::size_t>(((batch * length + token) * shape.heads + head) * shape.head_size);
}

constexpr std::int64_t kPiece = 1 << 16;  // elements that one task makes or reads

std::int64_t pieces(std::size_t count) { return (static_cast<std::int64_t>(count) + kPiece - 1) / kPiece; }

// Calls body(first, last) on ranges of elements, on the host's threads.
template <class Body>
void for_elements(std::size_t count, const Host& host, Body&& body) {
  host.parallel_for(pieces(count), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece)
      body(static_cast<std::size_t>(piece * kPiece), std::min(count, static_cast<std::size_t>((piece + 1) * kPiece)));
  });
}

void attend(const AttentionShape& shape, const AttentionInputs& in, double scale, ReferenceRow& row) {
  const auto size = static_cast<std::size_t>(shape.head_size);
  const std::size_t q = offset(shape, shape.queries, row.batch, row.query, row.head);
  std::vector<double> scores(static_cast<std::size_t>(shape.keys));
  for (std::int64_t j = 0; j < shape.keys; ++j) {
    const std::size_t k = offset(shape, shape.keys, row.batch, j, row.head);
    double sum = 0;
    for (std::size_t d = 0; d < size; ++d) sum += double{in.q.at(q + d)} * double{in.k.at(k + d)};
    scores[static_cast<std::size_t>(j)] = scale * sum;
  }
  const double most = *std::max_element(scores.begin(), scores.end());
  double total = 0;
  row.out.assign(size, 0);
  for (std::int64_t j = 0; j < shape.keys; ++j) {
    const double weight = std::exp(scores[static_cast<std::size_t>(j)] - most);
    const std::size_t v = offset(shape, shape.keys, row.batch, j, row.head);
    for (std::size_t d = 0; d < size; ++d) row.out[d] += weight * double{in.v.at(v + d)};
    total += weight;
  }
  for (double& one : row.out) one /= total;
}

}  // namespace

testing::Elements normal_elements(std::size_t count, fv_dtype dtype, std::uint64_t seed, const Host& host) {
  testing::Elements out(count, dtype);
  // Each piece has a seed of its own, so that threads do not change the numbers.
  for_elements(count, host, [&](std::size_t first, std::size_t last) {
    Random random(Random(seed + first).bits());
    for (std::size_t i = first; i < last; ++i) out.set(i, random.normal());
  });
  return out;
}

AttentionInputs::AttentionInputs(const AttentionShape& shape, fv_dtype dtype, std::uint64_t seed, const Host& host)
    : q(normal_elements(elements(shape, shape.queries), dtype, Random(seed).bits(), host)),
      k(normal_elements(elements(shape, shape.keys), dtype, Random(seed).bits() + 1, host)),
      v(normal_elements(elements(shape, shape.keys), dtype, Random(seed).bits() + 2, host)) {}

std::vector<ReferenceRow> reference_rows(const AttentionShape& shape, const AttentionInputs& inputs, double scale,
                                         std::size_t count, std::uint64_t seed, const Host& host) {
  Random random(seed);
  std::vector<ReferenceRow> rows{{0, 0, 0, {}}, {shape.batch - 1, shape.queries - 1, shape.heads - 1, {}}};
  while (rows.size() < count)
    rows.push_back({random.below(shape.batch), random.below(shape.queries), random.below(shape.heads), {}});
  host.parallel_for(static_cast<std::int64_t>(rows.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) attend(shape, inputs, scale, rows[static_cast<std::size_t>(i)]);
  });
  return rows;
}

AttentionError compare(const AttentionShape& shape, const testing::Elements& out, const std::vector<ReferenceRow>& rows,
                       const Host& host) {
  const std::size_t count = elements(shape, shape.queries);
  for_elements(count, host, [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i)
      if (!std::isfinite(out.at(i)))
        throw std::runtime_error("element " + std::to_string(i) + " of " + std::to_string(count) +
                                 " of the output is not finite, or was not written");
  });
  double difference = 0, norm = 0, largest = 0;
  for (const ReferenceRow& row : rows) {
    const std::size_t first = offset(shape, shape.queries, row.batch, row.query, row.head);
    for (std::size_t d = 0; d < row.out.size(); ++d) {
      const double error = double{out.at(first + d)} - row.out[d];
      difference += error * error;
      norm += row.out[d] * row.out[d];
      largest = std::max(largest, std::fabs(error));
    }
  }
  return {norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference), largest};
}

}  // namespace fastvideo::host
