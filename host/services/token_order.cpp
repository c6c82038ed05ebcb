#include "host/services/token_order.hpp"

#include <algorithm>
#include <stdexcept>

#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

std::string at_position(size_t position, int64_t index) {
  return "position " + std::to_string(position) + " holds " + std::to_string(index);
}

}  // namespace

void require_bijection(const TokenOrderWish& wish, int64_t tokens) {
  const std::string fault = wish.whose + " asks for a token order that is none: ";
  if (static_cast<int64_t>(wish.order.size()) != tokens)
    throw std::runtime_error(fault + "it has " + std::to_string(wish.order.size()) + " entries for " +
                             std::to_string(tokens) + " tokens");
  std::vector<bool> seen(wish.order.size());
  for (size_t i = 0; i < wish.order.size(); ++i) {
    const int64_t index = wish.order[i];
    if (index < 0 || index >= tokens)
      throw std::runtime_error(fault + at_position(i, index) + ", outside of 0.." + std::to_string(tokens - 1));
    if (seen[static_cast<size_t>(index)]) throw std::runtime_error(fault + at_position(i, index) + " a second time");
    seen[static_cast<size_t>(index)] = true;
  }
}

std::vector<int64_t> merge_token_orders(std::span<const TokenOrderWish> wishes) {
  if (wishes.empty()) return {};
  const TokenOrderWish& first = wishes.front();
  for (const TokenOrderWish& other : wishes.subspan(1)) {
    const auto [ours, theirs] = std::ranges::mismatch(first.order, other.order);
    if (ours == first.order.end() && theirs == other.order.end()) continue;
    const size_t position = static_cast<size_t>(ours - first.order.begin());
    const std::string difference =
        first.order.size() != other.order.size()
            ? std::to_string(first.order.size()) + " and " + std::to_string(other.order.size()) + " tokens"
            : "at position " + std::to_string(position) + " token " + std::to_string(*ours) + " and token " +
                  std::to_string(*theirs);
    throw RequestError(
        first.whose + " and " + other.whose + " want the video tokens in different orders (" + difference +
        "), and a run has one: choose the same backend for both roles, or for one of them a backend that "
        "takes any order");
  }
  std::vector<int64_t> merged(first.order.begin(), first.order.end());
  for (size_t i = 0; i < merged.size(); ++i)
    if (merged[i] != static_cast<int64_t>(i)) return merged;
  return {};
}

}  // namespace fastvideo::host
