#include "tests/mmdit_cache/plain_caching.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <map>

namespace fastvideo::testing {
namespace {

constexpr int64_t kImageTokens = 20, kTextTokens = 5;
constexpr double kGuidance = 3.0;

double mean_abs(const at::Tensor& x) { return x.to(at::kDouble).abs().mean().item<double>(); }

// Residuals of both streams.
struct Residual {
  at::Tensor image, text;
};

Mmdit::Pass with(const Mmdit::Pass& pass, const Residual& residual) {
  return {pass.image + residual.image, pass.text + residual.text, pass.time};
}

}  // namespace

at::Tensor denoise(const Loop& loop, uint64_t seed, const RunPass& run) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto noise = [&](at::IntArrayRef shape) {
    return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
  };
  at::Tensor latents = noise({loop.videos, kImageTokens, Mmdit::kChannels});
  const at::Tensor conditional = noise({loop.videos, kTextTokens, Mmdit::kTextSize});
  const std::vector<at::Tensor> text = {conditional, at::zeros_like(conditional)};
  const int32_t branches = loop.guided ? 2 : 1;
  for (int32_t step = 0; step < loop.steps; ++step) {
    std::vector<at::Tensor> velocity;
    const auto pass = [&](int32_t lane, const std::vector<int32_t>& of) {
      PassInputs inputs{step, lane, {}, {}, {}, {}};
      std::vector<at::Tensor> texts;
      for (const int32_t branch : of) {
        inputs.rows.insert(inputs.rows.end(), static_cast<size_t>(loop.videos), branch);
        texts.push_back(text[static_cast<size_t>(branch)]);
      }
      inputs.latents = latents.repeat({static_cast<int64_t>(of.size()), 1, 1});
      inputs.text = at::cat(texts);
      inputs.sigma = at::full({static_cast<int64_t>(inputs.rows.size())}, loop.sigma(step), at::kFloat);
      for (const at::Tensor& one : run(inputs).split(loop.videos)) velocity.push_back(one);
    };
    if (loop.at_once && loop.guided) {
      pass(0, {0, 1});
    } else {
      for (int32_t branch = 0; branch < branches; ++branch) pass(branch, {branch});
    }
    const at::Tensor guided = loop.guided ? velocity[1] + kGuidance * (velocity[0] - velocity[1]) : velocity[0];
    latents = latents + guided * (loop.sigma(step + 1) - loop.sigma(step));
  }
  return latents;
}

Plain run_exact(const Mmdit& model, const Loop& loop, uint64_t seed) {
  Plain plain;
  plain.latents = denoise(loop, seed, [&](const PassInputs& in) {
    Mmdit::Pass pass = model.embed(in.latents, in.text, in.sigma);
    model.run(pass, 0, Mmdit::kBlocks);
    plain.left_out.push_back(false);
    return model.head(pass);
  });
  return plain;
}

Plain run_teacache(const Mmdit& model, const Loop& loop, uint64_t seed, const std::array<double, 5>& polynomial,
                   double threshold) {
  Plain plain;
  std::map<int32_t, std::vector<double>> sum;  // of each row, by pass of the step
  std::map<int32_t, at::Tensor> before;
  std::map<int32_t, Residual> residual;
  plain.latents = denoise(loop, seed, [&](const PassInputs& in) {
    Mmdit::Pass pass = model.embed(in.latents, in.text, in.sigma);
    const at::Tensor signal = model.modulated(pass, 0);
    std::vector<double>& sums = sum[in.lane];
    sums.resize(in.rows.size());
    bool skip = in.step > 0 && in.step < loop.steps - 1;
    for (size_t row = 0; row < in.rows.size() && in.step > 0 && in.step < loop.steps - 1; ++row) {
      const auto i = static_cast<int64_t>(row);
      const at::Tensor last = before[in.lane][i];
      const double x = mean_abs(signal[i] - last) / mean_abs(last);
      for (size_t power = 0; power < 5; ++power) sums[row] += polynomial[4 - power] * std::pow(x, power);
      skip = skip && sums[row] < threshold;
    }
    before[in.lane] = signal;
    plain.left_out.push_back(skip);
    if (skip) return model.head(with(pass, residual[in.lane]));
    sums.assign(sums.size(), 0.0);
    const Mmdit::Pass input = pass;
    model.run(pass, 0, Mmdit::kBlocks);
    residual[in.lane] = {pass.image - input.image, pass.text - input.text};
    return model.head(pass);
  });
  return plain;
}

Plain run_first_block(const Mmdit& model, const Loop& loop, uint64_t seed, double threshold) {
  Plain plain;
  std::map<int32_t, at::Tensor> last;  // the first block's residual at the last computed step
  std::map<int32_t, Residual> tail;
  plain.latents = denoise(loop, seed, [&](const PassInputs& in) {
    Mmdit::Pass pass = model.embed(in.latents, in.text, in.sigma);
    const at::Tensor image = pass.image;
    model.run(pass, 0, 1);
    const at::Tensor first = pass.image - image;
    bool skip = last.count(in.lane) > 0;
    for (int64_t row = 0; skip && row < first.size(0); ++row)
      skip = mean_abs(first[row] - last[in.lane][row]) / mean_abs(last[in.lane][row]) <= threshold;
    plain.left_out.push_back(skip);
    if (skip) return model.head(with(pass, tail[in.lane]));
    last[in.lane] = first;
    const Mmdit::Pass after = pass;
    model.run(pass, 1, Mmdit::kBlocks);
    tail[in.lane] = {pass.image - after.image, pass.text - after.text};
    return model.head(pass);
  });
  return plain;
}

}  // namespace fastvideo::testing
