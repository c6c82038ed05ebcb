#include "pipelines/common/readback/readback.hpp"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace fastvideo {
namespace {

class OnCpu final : public Readback {
 public:
  explicit OnCpu(const at::Tensor& x) : numbers_(x) {}
  bool is_here() override { return true; }
  std::span<const float> values() override {
    return {numbers_.const_data_ptr<float>(), static_cast<size_t>(numbers_.numel())};
  }

 private:
  at::Tensor numbers_;
};

class FromDevice final : public Readback {
 public:
  explicit FromDevice(const at::Tensor& x)
      : numbers_(at::empty(x.sizes(), at::TensorOptions().dtype(at::kFloat).pinned_memory(true))),
        copied_(x.device().type()) {
    numbers_.copy_(x, /*non_blocking=*/true);
    copied_.record(c10::impl::VirtualGuardImpl(x.device().type()).getStream(x.device()));
  }
  bool is_here() override { return copied_.query(); }
  std::span<const float> values() override {
    if (!is_here()) copied_.synchronize();
    return {numbers_.const_data_ptr<float>(), static_cast<size_t>(numbers_.numel())};
  }

 private:
  at::Tensor numbers_;  // pinned, or the copy would wait
  c10::Event copied_;
};

}  // namespace

std::unique_ptr<Readback> start_readback(const at::Tensor& x) {
  if (x.is_cpu()) return std::make_unique<OnCpu>(x);
  return std::make_unique<FromDevice>(x);
}

}  // namespace fastvideo
