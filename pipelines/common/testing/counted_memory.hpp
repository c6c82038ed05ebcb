// For tests of memory: an allocator for LibTorch that counts bytes.
#pragma once

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

namespace fastvideo::testing {

/// Counts the bytes that LibTorch, and oneDNN through it, allocate on the CPU during the object's life, for one thread
/// at a time. Earlier blocks are freed by the earlier allocator; new blocks must be freed before the object is
/// destroyed.
class CountedMemory final : public c10::Allocator {
 public:
  CountedMemory() : previous_(c10::GetCPUAllocator()) {
    current_ = this;
    c10::SetCPUAllocator(this);
  }
  ~CountedMemory() override { c10::SetCPUAllocator(previous_); }
  CountedMemory(const CountedMemory&) = delete;
  CountedMemory& operator=(const CountedMemory&) = delete;

  // The size is stored in front of the block.
  c10::DataPtr allocate(size_t bytes) override {
    auto* block = static_cast<std::byte*>(::operator new(bytes + kFront, std::align_val_t(kFront)));
    std::memcpy(block, &bytes, sizeof(bytes));
    live_ += bytes;
    peak_ = std::max(peak_, live_);
    return {block + kFront, block + kFront, &CountedMemory::free, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &CountedMemory::free; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }

  size_t live() const { return live_; }
  /// The peak since the construction, or since begin().
  size_t peak() const { return peak_; }
  void begin() { peak_ = live_; }

 private:
  static constexpr size_t kFront = 64;
  static void free(void* data) {
    auto* block = static_cast<std::byte*>(data) - kFront;
    size_t bytes = 0;
    std::memcpy(&bytes, block, sizeof(bytes));
    current_->live_ -= bytes;
    ::operator delete(block, std::align_val_t(kFront));
  }

  inline static CountedMemory* current_ = nullptr;
  c10::Allocator* previous_;
  size_t live_ = 0, peak_ = 0;
};

}  // namespace fastvideo::testing
