#include "plugins/cache/teacache/coefficients.hpp"

#include <algorithm>
#include <set>
#include <string_view>

namespace fastvideo::teacache {
namespace {

// Reads the fields of one row; each faulty field has its own message.
class RowReader {
 public:
  RowReader(const fv_value& table, size_t number, const std::string& file)
      : table_(table), number_(number), file_(file) {}

  std::string text(const char* name) const {
    const fv_value* value = find(name);
    if (value == nullptr) return {};
    if (value->type != FV_VALUE_STRING) throw wrong(name, "a string");
    return value->as.string;
  }
  double number(const char* name, const fv_value& value) const {
    if (value.type == FV_VALUE_FLOAT) return value.as.number;
    if (value.type == FV_VALUE_INT) return static_cast<double>(value.as.integer);
    throw wrong(name, "a number");
  }
  const fv_value* find(std::string_view name) const {
    for (uint32_t i = 0; i < table_.count; ++i)
      if (name == table_.as.entries[i].name) return &table_.as.entries[i].value;
    return nullptr;
  }
  Refused wrong(const char* name, const char* expected) const {
    return Refused(file_ + ": row " + std::to_string(number_) + ": " + name + " should be " + expected);
  }

 private:
  const fv_value& table_;
  size_t number_;
  const std::string& file_;
};

Row read_row(const fv_value& table, size_t number, const std::string& file) {
  const RowReader reader(table, number, file);
  Row row{};
  row.model = reader.text("model");
  row.preset = reader.text("preset");
  row.signal = reader.text("signal");
  if (row.model.empty()) throw reader.wrong("model", "the model's configuration key");
  if (row.signal.empty()) throw reader.wrong("signal", "what the polynomial was fitted to");
  if (const fv_value* expert = reader.find("expert"))
    row.expert = static_cast<int32_t>(reader.number("expert", *expert));
  if (const fv_value* threshold = reader.find("threshold")) row.threshold = reader.number("threshold", *threshold);
  const fv_value* ret = reader.find("use_ret_steps");
  if (ret == nullptr || ret->type != FV_VALUE_BOOL) throw reader.wrong("use_ret_steps", "true or false");
  row.use_ret_steps = ret->as.integer != 0;
  const fv_value* polynomial = reader.find("coefficients");
  if (polynomial == nullptr || polynomial->type != FV_VALUE_LIST || polynomial->count != row.polynomial.size())
    throw reader.wrong("coefficients", "a list of 5 numbers");
  for (size_t i = 0; i < row.polynomial.size(); ++i)
    row.polynomial[i] = reader.number("coefficients", polynomial->as.items[i]);
  return row;
}

std::string joined(const std::set<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace

double Row::operator()(double x) const {
  double value = 0;
  for (const double coefficient : polynomial) value = value * x + coefficient;
  return value;
}

std::vector<Row> read_rows(const fv_value& file, const std::string& file_name) {
  std::vector<Row> rows;
  for (uint32_t i = 0; file.type == FV_VALUE_TABLE && i < file.count; ++i) {
    const fv_entry& entry = file.as.entries[i];
    if (std::string_view(entry.name) != "model" || entry.value.type != FV_VALUE_LIST) continue;
    for (uint32_t row = 0; row < entry.value.count; ++row) {
      const fv_value& table = entry.value.as.items[row];
      if (table.type != FV_VALUE_TABLE) throw Refused(file_name + ": [[model]] should be a list of tables");
      rows.push_back(read_row(table, row + 1, file_name));
    }
  }
  return rows;
}

Choice choose(const std::vector<Row>& rows, const fv_cache_session_info& info, std::optional<bool> use_ret_steps) {
  const std::string model = info.model, preset = info.preset;
  std::vector<const Row*> of_model, of_preset;
  std::set<std::string> presets;
  for (const Row& row : rows) {
    if (row.model != model) continue;
    of_model.push_back(&row);
    if (!row.preset.empty()) presets.insert(row.preset);
    if (row.preset.empty() || row.preset == preset) of_preset.push_back(&row);
  }
  const std::string remedy = "`fastvideo calibrate teacache --model-path ...` measures one";
  if (of_model.empty()) return {{}, "there are no TeaCache coefficients for the model '" + model + "'; " + remedy};
  if (of_preset.empty())
    return {{},
            "the coefficients for '" + model + "' differ by preset: name one of " + joined(presets) + " with --preset" +
                (preset.empty() ? "" : ", not " + preset)};

  const bool ret = use_ret_steps.value_or(of_preset.front()->use_ret_steps);
  Choice choice;
  for (int32_t expert = 0; expert < info.experts; ++expert) {
    const auto found = std::find_if(of_preset.begin(), of_preset.end(),
                                    [&](const Row* row) { return row->use_ret_steps == ret && row->expert == expert; });
    if (found == of_preset.end())
      return {{},
              std::string("the coefficients for '")
                  .append(model)
                  .append("' have no row with use_ret_steps = ")
                  .append(ret ? "true" : "false")
                  .append(" for expert ")
                  .append(std::to_string(expert))
                  .append("; ")
                  .append(remedy)};
    choice.rows.push_back(*found);
  }
  return choice;
}

}  // namespace fastvideo::teacache
