// Dense attention that leaves out blocks that weigh little: the shared main loop with another softmax, in separate
// kernels, so that dense attention is not slowed down.
#include <cmath>

#include "plugins/attention/common/hopper/dense/dense.cuh"
#include "plugins/attention/common/hopper/skipping_softmax.cuh"
#include "plugins/attention/sparse_attn/sm90/launch.hpp"

namespace fastvideo::sparse {
namespace {

template <class Element, int kHeadSize, int kKeys, int kConsumers>
struct SkippingShape : hopper::Shape<Element, hopper::HalfScores<Element>, hopper::HalfValues<Element>, kHeadSize,
                                     kKeys, kConsumers, hopper::SkippingSoftmax> {
  static constexpr bool kSkips = true;
  using OfPieces = SkippingShape;
};

template <class S>
void launch_skipping(double threshold, const hopper::Call& c, int blocks, cudaStream_t stream) {
  if (c.batch == 0 || c.queries == 0 || c.heads == 0) return;
  auto p = dense::half_parameters<S, hopper::DenseKeyBlocks<S::kKeys>>(c);
  p.skip_below = static_cast<float>(-std::log(threshold)) / c.scale;
  hopper::launch_dense<S>(p, c, blocks, stream);
}

template <class S>
constexpr SkippingKernel skipping_kernel() {
  return {std::is_same_v<typename S::Element, __nv_bfloat16>,
          S::kHeadSize,
          S::kRows,
          S::kKeys,
          hopper::prepare_dense<S>,
          hopper::piece_bytes<S>,
          launch_skipping<S>};
}

constexpr SkippingKernel kSkippingKernels[] = {
    skipping_kernel<SkippingShape<__nv_bfloat16, 128, 176, 2>>(), skipping_kernel<SkippingShape<__half, 128, 176, 2>>(),
    skipping_kernel<SkippingShape<__nv_bfloat16, 64, 128, 3>>(), skipping_kernel<SkippingShape<__half, 64, 128, 3>>()};

}  // namespace

std::span<const SkippingKernel> skipping_kernels() { return kSkippingKernels; }

}  // namespace fastvideo::sparse
