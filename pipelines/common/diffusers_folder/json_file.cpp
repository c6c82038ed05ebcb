#include "pipelines/common/diffusers_folder/json_file.hpp"

#include <algorithm>
#include <cmath>
#include <fastvideo/input_file.hpp>

namespace fastvideo {
namespace {

using nlohmann::json;

// The largest configuration in use is a few kilobytes; a much larger file is not a configuration.
constexpr uintmax_t kMaxConfigBytes = 16 << 20;

bool is_integer(const json& value, int64_t minimum, int64_t maximum) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(maximum)) return false;
  return value.get<int64_t>() >= minimum && value.get<int64_t>() <= maximum;
}

std::string range(int64_t minimum, int64_t maximum) {
  return "a whole number from " + std::to_string(minimum) + " to " + std::to_string(maximum);
}

}  // namespace

JsonFile::JsonFile(const std::filesystem::path& file) : file_(file) {
  std::error_code none;
  if (std::filesystem::symlink_status(file, none).type() == std::filesystem::file_type::not_found)
    refuse("no such file");
  document_ = parse_json<json>(read_input_file(file.string(), kMaxConfigBytes, "a configuration"), file.string());
  if (!document_.is_object()) refuse("not a JSON object");
}

bool JsonFile::is_null_or_absent(std::string_view key) const {
  const auto found = document_.find(key);
  return found == document_.end() || found->is_null();
}

json JsonFile::value(std::string_view key) const {
  const auto found = document_.find(key);
  return found == document_.end() ? json() : *found;
}

int64_t JsonFile::integer(std::string_view key, int64_t absent, int64_t minimum, int64_t maximum) const {
  const auto found = document_.find(key);
  if (found == document_.end()) return absent;
  if (!is_integer(*found, minimum, maximum)) refuse(key, "it must be " + range(minimum, maximum));
  return found->get<int64_t>();
}

double JsonFile::number(std::string_view key, double absent) const {
  const auto found = document_.find(key);
  if (found == document_.end()) return absent;
  if (!found->is_number()) refuse(key, "it must be a number");
  return found->get<double>();
}

double JsonFile::positive(std::string_view key, double absent) const {
  const double value = number(key, absent);
  if (!(value > 0)) refuse(key, "it must be above 0");
  return value;
}

bool JsonFile::boolean(std::string_view key, bool absent) const {
  const auto found = document_.find(key);
  if (found == document_.end()) return absent;
  if (!found->is_boolean()) refuse(key, "it must be true or false");
  return found->get<bool>();
}

std::string JsonFile::string(std::string_view key, std::string absent) const {
  const auto found = document_.find(key);
  if (found == document_.end()) return absent;
  if (!found->is_string()) refuse(key, "it must be a text");
  return found->get<std::string>();
}

std::vector<int64_t> JsonFile::integers(std::string_view key, std::vector<int64_t> absent, int64_t minimum,
                                        int64_t maximum) const {
  const auto found = document_.find(key);
  if (found == document_.end()) return absent;
  const auto fits = [&](const json& value) { return is_integer(value, minimum, maximum); };
  if (!found->is_array() || !std::all_of(found->begin(), found->end(), fits))
    refuse(key, "it must be a list, each " + range(minimum, maximum));
  return found->get<std::vector<int64_t>>();
}

std::vector<double> JsonFile::numbers(std::string_view key, std::vector<double> absent) const {
  const auto found = document_.find(key);
  if (found == document_.end()) return absent;
  const auto fits = [](const json& value) { return value.is_number() && std::isfinite(value.get<double>()); };
  if (!found->is_array() || !std::all_of(found->begin(), found->end(), fits))
    refuse(key, "it must be a list of numbers");
  return found->get<std::vector<double>>();
}

std::vector<bool> JsonFile::booleans(std::string_view key, std::vector<bool> absent) const {
  const auto found = document_.find(key);
  if (found == document_.end()) return absent;
  const auto fits = [](const json& value) { return value.is_boolean(); };
  if (!found->is_array() || !std::all_of(found->begin(), found->end(), fits))
    refuse(key, "it must be a list of true and false");
  return found->get<std::vector<bool>>();
}

void JsonFile::require_unset(std::string_view key, std::string_view why) const {
  const auto found = document_.find(key);
  if (found != document_.end() && !found->is_null() && *found != json(false)) refuse(key, why);
}

void JsonFile::require_not_quantised() const {
  require_unset("quantization_config", "quantised weights are not read; use the folder in bfloat16 or float32");
}

void JsonFile::require_one_of(std::string_view key, std::string_view absent,
                              std::initializer_list<std::string_view> allowed, std::string_view why) const {
  const auto found = document_.find(key);
  const json value = found == document_.end() ? json(absent) : *found;
  const auto equals = [&](std::string_view text) { return value == json(text); };
  if (std::any_of(allowed.begin(), allowed.end(), equals)) return;
  if (found != document_.end()) refuse(key, why);
  const std::string meaning = absent.empty() ? "" : ", which means '" + std::string(absent) + "'";
  refuse(std::string(key) + " is absent" + meaning + ": " + std::string(why));
}

void JsonFile::refuse(std::string_view what) const { throw Refused(file_.string() + ": " + std::string(what)); }

void JsonFile::refuse(std::string_view key, std::string_view why) const {
  constexpr size_t kLongest = 120;
  // Escaped, so that a file cannot write control characters to the terminal.
  std::string value = document_.at(std::string(key)).dump(-1, ' ', true, json::error_handler_t::replace);
  if (value.size() > kLongest) value = value.substr(0, kLongest) + "...";
  refuse(std::string(key) + " is " + value + ": " + std::string(why));
}

}  // namespace fastvideo
