// One order of the video tokens for a whole run, out of what each plan wishes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fastvideo::host {

/// What one plan wants: position -> raster index. Borrowed.
struct TokenOrderWish {
  std::string whose;  ///< "FLASH_ATTN/sm90 at dit.self", for messages
  std::span<const int64_t> order;
};

/// Throws std::runtime_error, naming whose it is, unless the order is a bijection of `tokens` numbers from 0 on.
void require_bijection(const TokenOrderWish& wish, int64_t tokens);

/// The one order that all wishes agree on; empty if it is raster order, or nobody wishes. Two different ones throw
/// RequestError, naming both.
std::vector<int64_t> merge_token_orders(std::span<const TokenOrderWish> wishes);

}  // namespace fastvideo::host
