// Numbers as a user lists them: "0-1,29".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fastvideo {

/// A set of numbers from 0 on.
class NumberSet {
 public:
  /// Numbers and ranges between commas; empty text is the empty set. Throws Refused with the option, its text and the
  /// fault: anything but digits, a range that ends before it begins, a number named twice.
  NumberSet(std::string_view option, std::string_view text);

  bool empty() const { return ranges_.empty(); }
  bool contains(int64_t number) const;
  /// The largest number of a set that is not empty.
  int64_t largest() const;

 private:
  struct Range {
    int64_t first, last;
  };
  std::vector<Range> ranges_;
};

}  // namespace fastvideo
