#include "pipelines/common/text/tokenizer/prefix_table.hpp"

#include <algorithm>

namespace fastvideo {

PrefixTable::PrefixTable(std::vector<std::pair<std::string, int32_t>> keys) : keys_(std::move(keys)) {
  std::stable_sort(keys_.begin(), keys_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  size_t kept = 0;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (i + 1 < keys_.size() && keys_[i + 1].first == keys_[i].first) continue;
    if (kept != i) keys_[kept] = std::move(keys_[i]);
    ++kept;
  }
  keys_.resize(kept);
  size_t at = 0;
  for (size_t byte = 0; byte < begins_.size(); ++byte) {
    while (at < keys_.size() && static_cast<unsigned char>(keys_[at].first[0]) < byte) ++at;
    begins_[byte] = at;
  }
}

int32_t PrefixTable::find(std::string_view key) const {
  const auto found = std::lower_bound(keys_.begin(), keys_.end(), key,
                                      [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
  return found != keys_.end() && found->first == key ? found->second : -1;
}

void PrefixTable::narrow(size_t& begin, size_t& end, size_t depth, char byte) const {
  const auto value = [](char c) { return static_cast<unsigned char>(c); };
  const auto first = keys_.begin() + static_cast<ptrdiff_t>(begin);
  const auto last = keys_.begin() + static_cast<ptrdiff_t>(end);
  const auto low =
      std::partition_point(first, last, [&](const auto& entry) { return value(entry.first[depth]) < value(byte); });
  const auto high =
      std::partition_point(low, last, [&](const auto& entry) { return value(entry.first[depth]) == value(byte); });
  begin = static_cast<size_t>(low - keys_.begin());
  end = static_cast<size_t>(high - keys_.begin());
}

}  // namespace fastvideo
