#include "plugins/cache/teacache/polynomial_fit.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fastvideo::teacache {
namespace {

constexpr size_t kTerms = 5;
using Coefficients = std::array<double, kTerms>;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void subtract(std::vector<double>& from, double factor, const std::vector<double>& what) {
  for (size_t i = 0; i < from.size(); ++i) from[i] -= factor * what[i];
}

// Solves min |A c - y| for the columns of A by Gram-Schmidt, orthogonalised twice so that it is as good as Householder.
Coefficients least_squares(std::array<std::vector<double>, kTerms> columns, std::vector<double> y) {
  std::array<Coefficients, kTerms> r{};
  Coefficients projected{};
  for (size_t j = 0; j < kTerms; ++j) {
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t i = 0; i < j; ++i) {
        const double overlap = dot(columns[i], columns[j]);
        r[i][j] += overlap;
        subtract(columns[j], overlap, columns[i]);
      }
    }
    r[j][j] = std::sqrt(dot(columns[j], columns[j]));
    for (double& value : columns[j]) value /= r[j][j];
    projected[j] = dot(columns[j], y);
    subtract(y, projected[j], columns[j]);
  }
  Coefficients solution{};
  for (size_t j = kTerms; j-- > 0;) {
    double rest = projected[j];
    for (size_t k = j + 1; k < kTerms; ++k) rest -= r[j][k] * solution[k];
    solution[j] = rest / r[j][j];
  }
  return solution;
}

// sum_j c_j ((x - center) / scale)^j as powers of x, highest first: Horner's scheme on polynomials.
Coefficients in_powers_of_x(const Coefficients& c, double center, double scale) {
  Coefficients powers{};  // lowest first
  for (size_t j = kTerms; j-- > 0;) {
    Coefficients next{};
    for (size_t i = 0; i < kTerms; ++i) {
      next[i] -= powers[i] * center / scale;
      if (i + 1 < kTerms) next[i + 1] += powers[i] / scale;
    }
    next[0] += c[j];
    powers = next;
  }
  std::reverse(powers.begin(), powers.end());
  return powers;
}

double value_at(const Coefficients& polynomial, double x) {
  double value = 0;
  for (const double coefficient : polynomial) value = value * x + coefficient;
  return value;
}

}  // namespace

size_t distinct_points(const std::vector<Point>& points) {
  std::vector<double> xs;
  xs.reserve(points.size());
  for (const Point& point : points) xs.push_back(point.x);
  std::sort(xs.begin(), xs.end());
  if (xs.empty()) return 0;
  const double gap = 1e-6 * std::max(std::abs(xs.front()), std::abs(xs.back()));
  size_t count = 1;
  double last = xs.front();
  for (const double x : xs) {
    if (x - last <= gap) continue;
    ++count;
    last = x;
  }
  return count;
}

std::array<double, 5> fit_polynomial(const std::vector<Point>& points) {
  if (distinct_points(points) < kTerms) throw std::invalid_argument("a polynomial of degree 4 takes 5 distinct points");
  const auto [low, high] =
      std::minmax_element(points.begin(), points.end(), [](Point a, Point b) { return a.x < b.x; });
  const double center = (low->x + high->x) / 2, scale = (high->x - low->x) / 2;
  std::array<std::vector<double>, kTerms> columns;
  std::vector<double> y;
  for (const Point& point : points) {
    double power = 1;
    for (std::vector<double>& column : columns) {
      column.push_back(power);
      power *= (point.x - center) / scale;
    }
    y.push_back(point.y);
  }
  return in_powers_of_x(least_squares(std::move(columns), std::move(y)), center, scale);
}

double explained_share(const std::vector<Point>& points, const std::array<double, 5>& polynomial) {
  double mean = 0;
  for (const Point& point : points) mean += point.y / static_cast<double>(points.size());
  double left = 0, all = 0;
  for (const Point& point : points) {
    left += std::pow(point.y - value_at(polynomial, point.x), 2);
    all += std::pow(point.y - mean, 2);
  }
  return all > 0 ? 1 - left / all : 1;
}

}  // namespace fastvideo::teacache
