// Checking one option's value.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "host/config/schema.hpp"
#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

std::string number_text(double number, OptionType type) {
  return type == OptionType::integer ? std::to_string(static_cast<int64_t>(number)) : Value(number).to_toml();
}

// The choice that `text` means, in its own spelling.
std::string check_choice(const OptionSpec& option, const std::string& text, std::string_view where) {
  if (option.choices.empty()) return text;
  for (const std::string& choice : option.choices)
    if (same_name(choice, text)) return choice;
  throw RequestError(std::string(where) + ": " + shortened(Value(text).to_toml()) + " is not one of " +
                     comma_list(option.choices) + did_you_mean(text, option.choices));
}

// -1 means a new seed to some programs.
constexpr const char* kDrawnSeed = "; leave the seed out and a new one is drawn for each run";

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string_view type_name(OptionType type) {
  static constexpr std::array<std::string_view, 6> kNames = {"bool", "int", "float", "string", "list of strings",
                                                             "int"};
  return kNames[static_cast<size_t>(type)];
}

uint64_t seed_of(const Value& value) {
  if (value.type() == FV_VALUE_INT) return static_cast<uint64_t>(value.integer());
  uint64_t seed = 0;
  parse_number(value.string(), seed);
  return seed;
}

Value seed_value(uint64_t seed) {
  if (seed <= static_cast<uint64_t>(INT64_MAX)) return static_cast<int64_t>(seed);
  return std::to_string(seed);
}

std::string OptionSpec::allowed() const {
  if (type == OptionType::boolean) return "true or false";
  if (!choices.empty()) return (type == OptionType::strings ? "list of " : "one of ") + comma_list(choices);
  if (type == OptionType::seed)
    return "int from 0 to " + std::to_string(UINT64_MAX) + ", as text in TOML above " + std::to_string(INT64_MAX);
  std::string out(fastvideo::host::type_name(type));
  if (minimum && maximum) return out + " from " + number_text(*minimum, type) + " to " + number_text(*maximum, type);
  if (minimum) return out + " of at least " + number_text(*minimum, type);
  if (maximum) return out + " of at most " + number_text(*maximum, type);
  return out;
}

Value OptionSpec::check(const Value& value, std::string_view where) const {
  const auto refuse = [&](const std::string& what) -> RequestError {
    return RequestError(std::string(where) + ": " + shortened(value.to_toml()) + " " + what);
  };
  switch (type) {
    case OptionType::boolean:
      if (value.type() == FV_VALUE_BOOL) return value;
      break;
    case OptionType::integer:
    case OptionType::number: {
      const bool fits = value.type() == FV_VALUE_INT || (type == OptionType::number && value.type() == FV_VALUE_FLOAT);
      if (!fits) break;
      if (!std::isfinite(value.number())) throw refuse("is not finite; allowed: " + allowed());
      if ((minimum && value.number() < *minimum) || (maximum && value.number() > *maximum))
        throw refuse("is out of range; allowed: " + allowed());
      return type == OptionType::number ? Value(value.number()) : value;
    }
    case OptionType::string:
      if (value.type() == FV_VALUE_STRING) return check_choice(*this, value.string(), where);
      break;
    case OptionType::strings: {
      // One string is a list of one.
      const Value::List list = value.type() == FV_VALUE_LIST ? value.list() : Value::List{value};
      Value::List checked;
      for (const Value& item : list) {
        if (item.type() != FV_VALUE_STRING) throw refuse("is not a " + std::string(fastvideo::host::type_name(type)));
        checked.emplace_back(check_choice(*this, item.string(), where));
      }
      return checked;
    }
    case OptionType::seed: {
      if (value.type() == FV_VALUE_STRING) return parse(value.string(), where);
      if (value.type() != FV_VALUE_INT) break;
      if (value.integer() < 0) throw refuse("is out of range; allowed: " + allowed() + kDrawnSeed);
      return value;
    }
  }
  throw refuse("is of type " + std::string(value.type_name()) + "; allowed: " + allowed());
}

Value OptionSpec::parse(std::string_view text, std::string_view where) const {
  const auto refuse = [&]() -> RequestError {
    return RequestError(std::string(where) + ": '" + shortened(text) + "' is not understood; allowed: " + allowed());
  };
  const auto as_number = [&](auto number) {
    if (!parse_number(text, number)) throw refuse();
    return check(number, where);
  };
  switch (type) {
    case OptionType::boolean: {
      const std::string word = small_letters(text);
      if (word == "true" || word == "on" || word == "yes" || word == "1") return true;
      if (word == "false" || word == "off" || word == "no" || word == "0") return false;
      throw refuse();
    }
    case OptionType::integer:
      return as_number(int64_t{0});
    case OptionType::number:
      return as_number(0.0);
    case OptionType::string:
      return check(text, where);
    case OptionType::strings: {
      Value::List list;
      for (std::string& part : split(text, separator)) list.emplace_back(std::move(part));
      return check(list, where);
    }
    case OptionType::seed: {
      uint64_t seed = 0;
      const bool is_minus_zero = text.size() > 1 && text.front() == '-' && text.find_first_not_of('0', 1) == text.npos;
      if (is_minus_zero || parse_number(text, seed)) return seed_value(seed);  // TOML has -0 too, and there it is 0
      const bool is_number =
          !text.empty() &&
          text.find_first_not_of("0123456789", text.front() == '-' ? 1 : 0) == std::string_view::npos && text != "-";
      if (!is_number) throw refuse();
      throw RequestError(std::string(where) + ": " + std::string(text.substr(0, 40)) +
                         " is out of range; allowed: " + allowed() + (text.front() == '-' ? kDrawnSeed : ""));
    }
  }
  throw refuse();
}

}  // namespace fastvideo::host
