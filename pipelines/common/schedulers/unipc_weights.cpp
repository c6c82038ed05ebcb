#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "pipelines/common/schedulers/unipc.hpp"

namespace fastvideo {
namespace {

constexpr auto kMaxOrder = static_cast<size_t>(kMaxUniPCOrder);

// Half the logarithm of the signal-to-noise ratio at a flow's noise level.
double log_snr(double sigma) { return std::log(1.0 - sigma) - std::log(sigma); }

// Solves sum_j r_j^i rho_j = b_i, i = 0..n-1, by elimination with row exchange.
std::array<double, kMaxOrder> solve_vandermonde(const std::array<double, kMaxOrder>& r,
                                                const std::array<double, kMaxOrder>& b, size_t n) {
  double rows[kMaxOrder][kMaxOrder + 1];
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) rows[i][j] = std::pow(r[j], static_cast<double>(i));
    rows[i][n] = b[i];
  }
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t i = column + 1; i < n; ++i)
      if (std::abs(rows[i][column]) > std::abs(rows[pivot][column])) pivot = i;
    std::swap(rows[column], rows[pivot]);
    for (size_t i = column + 1; i < n; ++i) {
      const double factor = rows[i][column] / rows[column][column];
      for (size_t j = column; j <= n; ++j) rows[i][j] -= factor * rows[column][j];
    }
  }
  std::array<double, kMaxOrder> rho{};
  for (size_t i = n; i-- > 0;) {
    rho[i] = rows[i][n];
    for (size_t j = i + 1; j < n; ++j) rho[i] -= rows[i][j] * rho[j];
    rho[i] /= rows[i][i];
  }
  return rho;
}

}  // namespace

UniPCWeights unipc_weights(double sigma_t, const std::vector<double>& sigmas, bool corrector,
                           SchedulerConfig::SolverType solver) {
  const size_t order = sigmas.size();
  UniPCWeights weights;
  weights.denoised.assign(order, 0.0);
  if (sigma_t == sigmas[0]) {  // no step: the sample stays
    weights.sample = 1.0;
    return weights;
  }
  if (sigma_t == 0.0) {  // an infinite step in log SNR ends on the prediction itself
    weights.denoised[0] = 1.0;
    return weights;
  }

  const double lambda = log_snr(sigmas[0]);
  const double h = log_snr(sigma_t) - lambda;
  const double phi_1 = std::expm1(-h);
  const double b_h = solver == SchedulerConfig::SolverType::bh1 ? -h : phi_1;

  // The points in units of the step: those before it, then t itself at 1.
  std::array<double, kMaxOrder> r{};
  std::array<double, kMaxOrder> b{};
  for (size_t k = 1; k < order; ++k) r[k - 1] = (log_snr(sigmas[k]) - lambda) / h;
  r[order - 1] = 1.0;
  double phi = phi_1 / -h - 1.0;
  double factorial = 1.0;
  for (size_t k = 0; k < order; ++k) {
    b[k] = phi * factorial / b_h;
    factorial *= static_cast<double>(k + 2);
    phi = phi / -h - 1.0 / factorial;
  }

  std::array<double, kMaxOrder> rho{};
  if (corrector) {
    rho = order == 1 ? std::array<double, kMaxOrder>{0.5} : solve_vandermonde(r, b, order);
  } else if (order > 1) {
    rho = order == 2 ? std::array<double, kMaxOrder>{0.5} : solve_vandermonde(r, b, order - 1);
  }

  // x_t = sigma_t / sigma_s x - alpha_t phi_1 m_0 - alpha_t B(h) sum_k rho_k (m_k - m_0) / r_k
  const double alpha_t = 1.0 - sigma_t;
  weights.sample = sigma_t / sigmas[0];
  weights.denoised[0] = -alpha_t * phi_1;
  for (size_t k = 1; k < order; ++k) {
    weights.denoised[k] = -alpha_t * b_h * rho[k - 1] / r[k - 1];
    weights.denoised[0] -= weights.denoised[k];
  }
  if (corrector) {
    weights.target = -alpha_t * b_h * rho[order - 1];
    weights.denoised[0] -= weights.target;
  }
  return weights;
}

}  // namespace fastvideo
