#include "host/selection/site_check.hpp"

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "host/error/error.hpp"

namespace fastvideo {

void require_possible(const fv_attention_site* site) {
  if (site == nullptr) throw std::runtime_error("an attention site is NULL");
  if (site->role == nullptr || *site->role == '\0') throw std::runtime_error("an attention site has no role");
  const std::string who = "the attention site " + std::string(site->role);
  const auto require = [&](const char* what, std::int64_t number, std::int64_t least) {
    if (number < least)
      throw std::runtime_error(who + " has " + what + " " + std::to_string(number) + ", at least " +
                               std::to_string(least) + " is possible");
  };
  require("the head size", site->head_size, 1);
  require("the number of key heads", site->kv_heads, 1);
  require("the number of query heads", site->query_heads, 1);
  require("the number of rows", site->batch, 1);
  require("a query length of", site->query_length, 0);
  require("a key length of", site->key_length, 0);
  for (const std::int64_t side : site->grid) require("a grid side of", side, 0);
  if (site->query_heads % site->kv_heads != 0)
    throw std::runtime_error(who + " has " + std::to_string(site->query_heads) + " query heads, no multiple of its " +
                             std::to_string(site->kv_heads) + " key heads");
  if (!std::isfinite(site->scale)) throw std::runtime_error(who + " has a scale that is not finite");
  if (site->input_count > 0 && site->inputs == nullptr)
    throw std::runtime_error(who + " counts further inputs and names none");
  if (site->query_length == 0 || site->key_length == 0)
    throw RequestError(who + " has " + std::to_string(site->query_length) + " queries and " +
                       std::to_string(site->key_length) +
                       " keys: the request leaves no token to compute; ask for a larger or longer video");
}

}  // namespace fastvideo
