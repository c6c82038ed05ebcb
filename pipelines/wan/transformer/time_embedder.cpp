#include "pipelines/wan/transformer/time_embedder.hpp"

#include <ATen/ATen.h>

#include <string>

#include "pipelines/common/layers/sinusoidal.hpp"
#include "pipelines/wan/transformer/block.hpp"

namespace fastvideo::wan {

TimeEmbedder::TimeEmbedder(const WanTransformerConfig& config, Weights& weights, Placement placement)
    : frequencies_(config.freq_dim), dim_(config.inner_dim()), placement_(placement) {
  const Placement float32{at::kFloat, placement.device};
  const std::string condition = "condition_embedder.";
  first_ = take_linear(weights, condition + "time_embedder.linear_1", frequencies_, dim_, float32);
  second_ = take_linear(weights, condition + "time_embedder.linear_2", dim_, dim_, float32);
  projection_ = take_linear(weights, condition + "time_proj", dim_, kModulations * dim_, placement);
}

TimeEmbedding TimeEmbedder::operator()(const at::Tensor& timestep) const {
  const at::Tensor sinusoid = sinusoidal_embedding(timestep.to(placement_.device), frequencies_);
  TimeEmbedding time;
  time.embed = second_(at::silu(first_(sinusoid)));
  time.proj = projection_(at::silu(time.embed).to(placement_.dtype)).to(at::kFloat).view({-1, kModulations, dim_});
  return time;
}

}  // namespace fastvideo::wan
