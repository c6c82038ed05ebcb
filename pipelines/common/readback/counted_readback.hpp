// For tests: readbacks that arrive when a test says so, and a count of the waits.
#pragma once

#include "pipelines/common/readback/readback.hpp"

namespace fastvideo::testing {

/// A simulated device whose copies arrive late. All its readbacks share the counts.
struct SlowDevice {
  int64_t started = 0;  ///< copies
  int64_t waited = 0;   ///< copies that were waited for
  int64_t arrived = 0;  ///< copies that have arrived, the oldest first

  /// The returned starter must not outlive this object.
  StartReadback start() {
    return [this](const at::Tensor& x) { return std::make_unique<Late>(*this, x); };
  }

 private:
  class Late final : public Readback {
   public:
    Late(SlowDevice& device, const at::Tensor& x)
        : device_(device), number_(device.started++), real_(start_readback(x)) {}
    bool is_here() override { return number_ < device_.arrived; }
    std::span<const float> values() override {
      if (!is_here()) {
        ++device_.waited;
        device_.arrived = number_ + 1;  // a stream works in order
      }
      return real_->values();
    }

   private:
    SlowDevice& device_;
    int64_t number_;
    std::unique_ptr<Readback> real_;
  };
};

}  // namespace fastvideo::testing
