// Parameters of a request for tests, as the host would complete them.
#pragma once

#include <fastvideo/core.hpp>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace fastvideo::testing {

/// Values by name. The Options that options() returns borrow the values and are valid until the next change.
class Parameters {
 public:
  Parameters& set(const std::string& name, const char* text) {
    value(name, FV_VALUE_STRING).as.string = keep(text);
    return *this;
  }
  Parameters& set(const std::string& name, int64_t number) {
    value(name, FV_VALUE_INT).as.integer = number;
    return *this;
  }
  Parameters& set(const std::string& name, int number) { return set(name, int64_t{number}); }
  Parameters& set(const std::string& name, double number) {
    value(name, FV_VALUE_FLOAT).as.number = number;
    return *this;
  }
  Parameters& set(const std::string& name, const std::vector<std::string>& texts) {
    std::vector<fv_value>& items = lists_.emplace_back();
    for (const std::string& text : texts) {
      items.emplace_back().type = FV_VALUE_STRING;
      items.back().as.string = keep(text);
    }
    fv_value& list = value(name, FV_VALUE_LIST);
    list.count = static_cast<uint32_t>(items.size());
    list.as.items = items.data();
    return *this;
  }
  Options options() const { return {entries_.data(), static_cast<uint32_t>(entries_.size())}; }

 private:
  const char* keep(const std::string& text) { return texts_.emplace_back(text).c_str(); }
  fv_value& value(const std::string& name, uint32_t type) {
    for (fv_entry& entry : entries_)
      if (name == entry.name) {
        entry.value = {};
        entry.value.type = type;
        return entry.value;
      }
    fv_entry& added = entries_.emplace_back();
    added.name = keep(name);
    added.value.type = type;
    return added.value;
  }

  std::deque<std::string> texts_;  // a deque: addresses of the texts stay valid
  std::deque<std::vector<fv_value>> lists_;
  std::vector<fv_entry> entries_;
};

}  // namespace fastvideo::testing
