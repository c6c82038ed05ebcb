// Values as TOML, JSON, environment and command line give them, and their form in the ABI.
#pragma once

#include <fastvideo/abi.h>

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fastvideo::host {

struct Entry;

/// A value: nothing, bool, int, float, string, list or table. A table keeps the order of its entries; their names are
/// unique.
class Value {
 public:
  using List = std::vector<Value>;
  using Table = std::vector<Entry>;

  Value() = default;
  Value(bool value);
  Value(int value);
  Value(int64_t value);
  Value(double value);
  Value(const char* value);
  Value(std::string value);
  Value(std::string_view value);
  Value(List value);
  Value(Table value);

  /// FV_VALUE_*
  uint32_t type() const { return static_cast<uint32_t>(data_.index()); }
  /// "bool", "int", "float", "string", "list", "table"; "nothing" for an empty value.
  std::string_view type_name() const;
  bool empty() const { return type() == FV_VALUE_NONE; }

  /// The content; std::bad_variant_access if it is of another type. number() also takes an int.
  bool boolean() const { return std::get<bool>(data_); }
  int64_t integer() const { return std::get<int64_t>(data_); }
  double number() const;
  const std::string& string() const { return std::get<std::string>(data_); }
  const List& list() const { return std::get<List>(data_); }
  const Table& table() const { return std::get<Table>(data_); }
  /// A list of strings, as a vector.
  std::vector<std::string> strings() const;

  /// As TOML writes it, on one line: true, 1, 0.5, "text", [1, 2], { a = 1 }.
  std::string to_toml() const;

  bool operator==(const Value& other) const;

 private:
  // In the order of FV_VALUE_*.
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Table> data_;
};

/// A named value.
struct Entry {
  std::string name;
  Value value;
  bool operator==(const Entry& other) const = default;
};

/// Values in the ABI's form, with the memory behind them. What it gives out lives as long as it does.
class AbiValues {
 public:
  AbiValues() = default;
  AbiValues(AbiValues&&) noexcept = default;
  AbiValues& operator=(AbiValues&&) noexcept = default;

  /// A copy of `value`.
  const fv_value* add(const Value& value);
  /// A copy of `table`, as the array that options and parameters are passed in.
  std::span<const fv_entry> add(const Value::Table& table);

 private:
  fv_value convert(const Value& value);
  const char* keep(const std::string& text);

  std::deque<fv_value> values_;
  std::deque<std::string> texts_;
  std::deque<std::vector<fv_value>> lists_;
  std::deque<std::vector<fv_entry>> tables_;
};

}  // namespace fastvideo::host
