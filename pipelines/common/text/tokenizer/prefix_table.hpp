// A table that finds the keys that a text begins with.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fastvideo {

/// An immutable table of keys with a number each. Threads: any.
class PrefixTable {
 public:
  PrefixTable() = default;
  /// Of equal keys the last one counts. No key is empty.
  explicit PrefixTable(std::vector<std::pair<std::string, int32_t>> keys);

  /// Calls found(length, number) for every key that `text` begins with, the shortest first. Time: the longest key's
  /// length, whatever the number of keys.
  template <class Found>
  void prefixes(std::string_view text, Found&& found) const {
    if (text.empty()) return;
    const auto first = static_cast<unsigned char>(text[0]);
    size_t begin = begins_[first], end = begins_[first + 1];
    for (size_t depth = 1; begin < end; ++depth) {
      const auto& [key, number] = keys_[begin];
      if (end - begin == 1) {
        if (text.substr(0, key.size()) == key) found(key.size(), number);
        return;
      }
      if (key.size() == depth) {
        found(depth, number);
        ++begin;
      }
      if (depth == text.size()) return;
      narrow(begin, end, depth, text[depth]);
    }
  }

  /// The number of a key, -1 for none.
  int32_t find(std::string_view key) const;
  size_t size() const { return keys_.size(); }

 private:
  /// Narrows [begin, end) to the keys whose byte at depth is `byte`; all are longer than depth.
  void narrow(size_t& begin, size_t& end, size_t depth, char byte) const;

  std::vector<std::pair<std::string, int32_t>> keys_;  // in order
  std::array<size_t, 257> begins_{};                   // of each first byte
};

}  // namespace fastvideo
