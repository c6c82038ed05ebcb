// Options of SLIDING_TILE_ATTN, as the host completes them, and strategy files, as it parses them.
#pragma once

#include <fastvideo/abi.h>

#include <deque>
#include <string>
#include <vector>

#include "plugins/attention/common/video/extent.hpp"

namespace fastvideo::sliding_tile {

/// An object of a strategy file.
class StrategyTable {
 public:
  StrategyTable& add(const std::string& name, const std::vector<int64_t>& sizes) {
    std::vector<fv_value>& list = lists_.emplace_back();
    for (const int64_t size : sizes) {
      fv_value& value = list.emplace_back();
      value.type = FV_VALUE_INT;
      value.as.integer = size;
    }
    fv_entry& entry = entries_.emplace_back();
    entry.name = names_.emplace_back(name).c_str();
    entry.value.type = FV_VALUE_LIST;
    entry.value.count = static_cast<uint32_t>(list.size());
    entry.value.as.items = list.data();
    return *this;
  }
  StrategyTable& add(int64_t step, int64_t layer, int64_t head, const Extent& w) {
    return add(std::to_string(step) + "_" + std::to_string(layer) + "_" + std::to_string(head), {w[0], w[1], w[2]});
  }
  fv_value get() const {
    fv_value table{};
    table.type = FV_VALUE_TABLE;
    table.count = static_cast<uint32_t>(entries_.size());
    table.as.entries = entries_.data();
    return table;
  }

 private:
  std::deque<std::string> names_;
  std::deque<std::vector<fv_value>> lists_;
  std::vector<fv_entry> entries_;
};

/// The options with their defaults, and those that a test changes.
class GivenOptions {
 public:
  GivenOptions() {
    string("tile", "auto").string("steps", "exact");
    integer("dense_steps", 0);
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
  /// The table must outlive the options.
  GivenOptions& strategy(const StrategyTable& table) {
    return string("strategy_file", "s.json").set("strategy", table.get());
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

}  // namespace fastvideo::sliding_tile
