// For tests: numbers that come when a test says so, and a count of the waits.
#pragma once

#include "pipelines/common/readback/readback.hpp"

namespace fastvideo::testing {

/// A device in name: what it is asked for arrives late. Copies share the counts.
struct SlowDevice {
  int64_t started = 0;  ///< copies
  int64_t waited = 0;   ///< of them, those that somebody waited for
  int64_t arrived = 0;  ///< so many of the copies, the oldest first, are there

  /// Lives no longer than this.
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
