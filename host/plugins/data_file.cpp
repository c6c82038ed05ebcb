// Data files of plugins, parsed for them.
#include <algorithm>
#include <fastvideo/input_file.hpp>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/error/printable.hpp"
#include "host/plugins/manifest.hpp"

namespace fastvideo::host {
namespace {

using Json = nlohmann::json;

// Builds a value while the text is read: tables keep their order, and a file of 100,000 entries takes no second.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  /// Both are borrowed; `text` is the one that is read.
  Builder(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  Value take() { return std::move(root_); }

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(int64_t{value}); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > uint64_t{INT64_MAX})
      throw refuse(std::to_string(value) + " is above the largest int, " + std::to_string(INT64_MAX));
    return add(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& text) override {
    if (text.find('\0') != std::string::npos) throw refuse("a text contains the character NUL");
    return add(std::move(text));
  }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool start_object(size_t) override { return open(true); }
  bool start_array(size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (name.find('\0') != std::string::npos) throw refuse("a name contains the character NUL");
    if (!open_.back().names.insert(name).second) throw refuse("'" + shortened(name) + "' occurs twice");
    open_.back().key = std::move(name);
    return true;
  }
  bool parse_error(size_t, const std::string&, const Json::exception& error) override {
    throw RequestError(json_fault(text_, file_, error));
  }

 private:
  // An object or array whose end has not been read.
  struct Open {
    bool is_table = false;
    Value::Table table;
    Value::List list;
    std::unordered_set<std::string> names;
    std::string key;
  };

  RequestError refuse(const std::string& why) const { return RequestError(file_ + ": " + why); }

  bool add(Value value) {
    if (open_.empty())
      root_ = std::move(value);
    else if (open_.back().is_table)
      open_.back().table.push_back({std::move(open_.back().key), std::move(value)});
    else
      open_.back().list.push_back(std::move(value));
    return true;
  }

  bool open(bool is_table) {
    open_.emplace_back().is_table = is_table;
    return true;
  }

  bool close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    return closed.is_table ? add(std::move(closed.table)) : add(std::move(closed.list));
  }

  const std::string& text_;
  const std::string& file_;
  std::vector<Open> open_;
  Value root_;
};

Value json_table(const std::string& text, const std::string& file) {
  try {
    require_shallow_json(text, file);
  } catch (const Refused& e) {
    throw RequestError(e.what());
  }
  Builder builder(text, file);
  Json::sax_parse(text, &builder);
  return builder.take();
}

}  // namespace

Value::Table read_data(const Item& item, const Value::Table& options) {
  Value::Table table;
  for (const DataFile& data : item.data) {
    std::filesystem::path path = data.file;
    if (!data.option.empty()) {
      const auto given = std::ranges::find(options, data.option, &Entry::name);
      if (given == options.end()) continue;  // the user has none
      path = given->value.string();
      if (path.extension() != ".json" && path.extension() != ".toml")
        throw RequestError(item.settings_prefix() + "." + data.option + ": '" + path.string() +
                           "' is neither .json nor .toml");
    }
    const std::string file = path.string();
    const std::string text = read_text_file(path);
    table.push_back({data.name, path.extension() == ".json" ? json_table(text, file) : parse_toml(text, file).value()});
  }
  return table;
}

}  // namespace fastvideo::host
