// Least squares for a polynomial of degree 4.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace fastvideo::teacache {

struct Point {
  double x, y;
};

/// How many points differ in x by more than rounding (1e-6 of the largest |x|).
size_t distinct_points(const std::vector<Point>& points);

/// The polynomial, highest power first, that minimises the sum of (p(x) - y)^2. At least five points with distinct x;
/// std::invalid_argument otherwise.
std::array<double, 5> fit_polynomial(const std::vector<Point>& points);

/// The share of the variance of y that the polynomial explains: 1 if it passes through every point.
double explained_share(const std::vector<Point>& points, const std::array<double, 5>& polynomial);

}  // namespace fastvideo::teacache
