#include "tools/bench/attention_shape.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

constexpr double kMostElements = 1099511627776.0;  // 2^40

}  // namespace

double AttentionShape::operations() const {
  return 4.0 * static_cast<double>(batch) * static_cast<double>(heads) * static_cast<double>(queries) *
         static_cast<double>(keys) * static_cast<double>(head_size);
}

std::string AttentionShape::text() const {
  return std::to_string(batch) + "," + std::to_string(heads) + "," + std::to_string(queries) + "," +
         std::to_string(head_size) + (keys == queries ? "" : "x" + std::to_string(keys));
}

AttentionShape parse_attention_shape(const std::string& text) {
  const auto refusal = [&](const std::string& what) {
    return RequestError("--shape " + text + ": " + what + "; a shape is B,H,L,D, or B,H,Lq,DxLk for Lk keys, as in " +
                        "1,12,4096,128 or 1,12,4096,128x512");
  };
  std::array<int64_t, 5> numbers{};
  size_t count = 0;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (true) {
    const auto [next, code] = std::from_chars(at, end, numbers[count]);
    if (code != std::errc()) throw refusal("a number is missing");
    if (numbers[count] < 1) throw refusal(std::to_string(numbers[count]) + " is below 1");
    ++count;
    at = next;
    if (at == end) break;
    if (count == 5 || *at != (count == 4 ? 'x' : ','))
      throw refusal("'" + std::string(at, end) + "' is not understood");
    ++at;
  }
  if (count < 4) throw refusal(std::to_string(count) + " of 4 numbers");
  const AttentionShape shape{numbers[0], numbers[1], numbers[2], count == 5 ? numbers[4] : numbers[2], numbers[3]};
  const double row =
      static_cast<double>(shape.batch) * static_cast<double>(shape.heads) * static_cast<double>(shape.head_size);
  if (row * static_cast<double>(std::max(shape.queries, shape.keys)) > kMostElements)
    throw refusal("a tensor would have more than 2^40 elements");
  return shape;
}

}  // namespace fastvideo::host
