// The rows of coefficients.toml, and the choice of rows for a session.
#pragma once

#include <fastvideo/cache.h>

#include <array>
#include <fastvideo/core.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fastvideo::teacache {

/// A polynomial that turns the relative change of a signal into an estimate of the output's relative change.
struct Row {
  std::string model;
  std::string preset;  ///< empty: any
  int32_t expert = 0;
  bool use_ret_steps = false;
  std::string signal;
  std::optional<double> threshold;   ///< the default when the user names none
  std::array<double, 5> polynomial;  ///< highest power first

  /// By Horner's scheme. Not clamped: between its sample points the published fit may dip below zero, and then lowers
  /// the accumulated sum.
  double operator()(double x) const;
};

/// All rows of a parsed data file. Throws Refused naming the file, the row and its fault.
std::vector<Row> read_rows(const fv_value& file, const std::string& file_name = "coefficients.toml");

/// The rows for a session, one for each expert, all of one variant; or the reason why there are none.
struct Choice {
  std::vector<const Row*> rows;  ///< [experts]
  std::string refusal;
};
Choice choose(const std::vector<Row>& rows, const fv_cache_session_info& info, std::optional<bool> use_ret_steps);

}  // namespace fastvideo::teacache
