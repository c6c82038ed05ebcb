#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "sdk/testing/device_memory.hpp"

namespace fastvideo::testing {
namespace {

struct Free {
  void operator()(void* block) const { std::free(block); }
};

class CpuMemory final : public DeviceMemory {
 public:
  void* allocate(size_t bytes) override {
    constexpr size_t kAlignment = 256;
    void* block = std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment);
    if (block == nullptr) throw std::bad_alloc();
    blocks_.emplace_back(block);
    return block;
  }
  void upload(void* to, std::span<const uint8_t> from) override { std::memcpy(to, from.data(), from.size()); }
  void download(std::span<uint8_t> to, const void* from) override { std::memcpy(to.data(), from, to.size()); }
  void poison(void* first, size_t bytes) override { std::memset(first, 0xFF, bytes); }
  void* stream() override { return nullptr; }
  void on_device(const std::function<void()>& work) override { work(); }
  std::vector<double> time(size_t count, const Numbered& prepare, const Numbered& work) override {
    std::vector<double> seconds;
    for (size_t i = 0; i < count; ++i) {
      prepare(i);
      const auto began = std::chrono::steady_clock::now();
      work(i);
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    }
    return seconds;
  }

 private:
  std::vector<std::unique_ptr<void, Free>> blocks_;
};

}  // namespace

std::unique_ptr<DeviceMemory> make_cpu_memory() { return std::make_unique<CpuMemory>(); }

}  // namespace fastvideo::testing
