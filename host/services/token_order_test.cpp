#include "host/services/token_order.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"
#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using Order = std::vector<int64_t>;
using test::message_of;

std::string fault_of(const Order& order, int64_t tokens) {
  return message_of<std::runtime_error>([&] { require_bijection({"X/cpu at dit.self", order}, tokens); });
}

TEST(TokenOrder, ABijectionIsOne) {
  EXPECT_EQ(fault_of({2, 0, 3, 1}, 4), "");
  const std::string none = "X/cpu at dit.self asks for a token order that is none: ";
  EXPECT_EQ(fault_of({2, 0, 1}, 4), none + "it has 3 entries for 4 tokens");
  EXPECT_EQ(fault_of({2, 0, 2, 1}, 4), none + "position 2 holds 2 a second time");
  EXPECT_EQ(fault_of({2, 0, 4, 1}, 4), none + "position 2 holds 4, outside of 0..3");
  EXPECT_EQ(fault_of({2, 0, -1, 1}, 4), none + "position 2 holds -1, outside of 0..3");
}

TEST(TokenOrder, EqualWishesMerge) {
  const Order order{2, 0, 1};
  const std::vector<TokenOrderWish> wishes{{"A", order}, {"B", order}};
  EXPECT_EQ(merge_token_orders(wishes), order);
  EXPECT_EQ(merge_token_orders({}), Order{});
}

TEST(TokenOrder, RasterOrderIsTheEmptyOne) {
  const Order raster{0, 1, 2};
  const std::vector<TokenOrderWish> wishes{{"A", raster}};
  EXPECT_EQ(merge_token_orders(wishes), Order{});
}

TEST(TokenOrder, DifferentWishesAreRefusedNamingBoth) {
  const Order raster{0, 1, 2}, turned{0, 2, 1}, longer{0, 1, 2, 3};
  EXPECT_TRUE(test::contains(test::refusal([&] {
                               const std::vector<TokenOrderWish> wishes{{"A", raster}, {"B", turned}};
                               merge_token_orders(wishes);
                             }),
                             "A and B want the video tokens in different orders (at position 1 token 1 and token 2)"));
  EXPECT_TRUE(test::contains(test::refusal([&] {
                               const std::vector<TokenOrderWish> wishes{{"A", raster}, {"B", longer}};
                               merge_token_orders(wishes);
                             }),
                             "(3 and 4 tokens)"));
}

}  // namespace
}  // namespace fastvideo::host
