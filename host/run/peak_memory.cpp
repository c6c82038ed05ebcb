#include "host/run/peak_memory.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "host/hardware/hardware.hpp"

namespace fastvideo::host {
namespace {

// "VmHWM:    123456 kB"
std::optional<std::uint64_t> resident_high_water() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  }
  return std::nullopt;
}

// man 5 proc: 5 sets the high-water mark to the present resident size.
bool reset_high_water() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

}  // namespace

struct PeakMemory::DeviceWatch {
  const CudaDevice& device;
  std::atomic<std::uint64_t> most{0};
  std::uint64_t before = 0;
  std::atomic<bool> ending{false};
  std::thread thread;

  explicit DeviceWatch(const CudaDevice& watched) : device(watched) {
    look();
    before = most;
    thread = std::thread([this] {
      while (!ending) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        look();
      }
    });
  }
  ~DeviceWatch() {
    ending = true;
    thread.join();
  }
  void look() {
    if (const auto free = free_memory(device))
      most = std::max<std::uint64_t>(most, device.total_memory - std::min(*free, device.total_memory));
  }
};

PeakMemory::PeakMemory(const RunDevice& device) {
  if (device.is_cuda())
    watch_ =
        std::make_unique<DeviceWatch>(cuda_driver().devices.at(static_cast<std::size_t>(device.facts.device.index)));
  else
    is_own_mark_ = reset_high_water();
}

PeakMemory::~PeakMemory() = default;

std::optional<std::uint64_t> PeakMemory::bytes() const {
  if (watch_ != nullptr) return watch_->most > 0 ? std::optional<std::uint64_t>(watch_->most) : std::nullopt;
  // A mark that could not be set back is that of an earlier run.
  return is_own_mark_ ? resident_high_water() : std::nullopt;
}

std::uint64_t PeakMemory::before() const { return watch_ != nullptr ? watch_->before : 0; }

std::uint64_t peak_host_memory() { return resident_high_water().value_or(0); }

}  // namespace fastvideo::host
