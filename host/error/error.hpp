// What the host says when it cannot do what it was asked.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fastvideo::host {

/// Something impossible was asked for. The text says what, the number, and what to do. Everything else that ends a run
/// (std::runtime_error and others) is a failure while running.
class RequestError : public std::runtime_error {
 public:
  /// `setting`: the path of the setting that the text is about ("request.height"); empty if it is about none, or
  /// several.
  explicit RequestError(const std::string& text, std::string setting = {})
      : std::runtime_error(text), setting_(std::move(setting)) {}
  const std::string& setting() const { return setting_; }

 private:
  std::string setting_;
};

/// What `text_of` makes of each, `separator` between.
template <class Range, class Text = std::identity>
std::string joined(const Range& range, std::string_view separator = ", ", Text text_of = {}) {
  std::string out;
  for (bool is_first = true; const auto& one : range) {
    if (!std::exchange(is_first, false)) out += separator;
    out += std::invoke(text_of, one);
  }
  return out;
}

/// The parts of a text between separators; those that are empty are none.
std::vector<std::string> split(std::string_view text, char separator);

/// "a, b, c", or "none".
template <class Range, class Text = std::identity>
std::string comma_list(const Range& range, Text text_of = {}) {
  return std::empty(range) ? "none" : joined(range, ", ", text_of);
}

/// A number as printf writes it: "%.2g".
std::string formatted(const char* format, double number);

/// "1.17 GiB", "24.0 MiB", "512 bytes"
std::string readable_bytes(uint64_t bytes);

/// Edits (insertion, deletion, change of one byte, exchange of two neighbours) that turn `a` into `b`, letter case
/// ignored (Damerau 1964, restricted: no part is edited twice).
size_t edit_distance(std::string_view a, std::string_view b);

/// The name of `known` nearest to `name`, the first of several; empty if none is near enough to be meant (more than a
/// third of the longer one's length would have to be edited, or more than 200 bytes long).
std::string nearest_name(std::string_view name, std::span<const std::string> known);

/// "; did you mean 'backend'?", or nothing if no known name is near.
std::string did_you_mean(std::string_view name, std::span<const std::string> known);

}  // namespace fastvideo::host
