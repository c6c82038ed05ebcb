// Options of SPARSE_ATTN, as the host completes them.
#pragma once

#include <fastvideo/abi.h>

#include <deque>
#include <string>
#include <vector>

namespace fastvideo::sparse {

/// The options with their defaults, and those that a test changes.
class GivenOptions {
 public:
  GivenOptions() {
    string("tile", "auto").string("dense_layers", "").string("key_block", "auto").string("select", "routed");
    integer("dense_steps", 0).integer("sink_tokens", 0).integer("block", 128);
  }
  GivenOptions(const GivenOptions&) = delete;  // entries point to texts
  GivenOptions& operator=(const GivenOptions&) = delete;

  GivenOptions& string(const char* name, const std::string& text) {
    fv_value value{};
    value.type = FV_VALUE_STRING;
    value.as.string = texts_.emplace_back(text).c_str();
    return set(name, value);
  }
  GivenOptions& integer(const char* name, int64_t number) {
    fv_value value{};
    value.type = FV_VALUE_INT;
    value.as.integer = number;
    return set(name, value);
  }
  GivenOptions& number(const char* name, double number) {
    fv_value value{};
    value.type = FV_VALUE_FLOAT;
    value.as.number = number;
    return set(name, value);
  }
  const std::vector<fv_entry>& get() const { return entries_; }

 private:
  GivenOptions& set(const char* name, const fv_value& value) {
    for (fv_entry& entry : entries_)
      if (std::string(entry.name) == name) return entry.value = value, *this;
    entries_.push_back({name, value});
    return *this;
  }
  std::deque<std::string> texts_;
  std::vector<fv_entry> entries_;
};

}  // namespace fastvideo::sparse
