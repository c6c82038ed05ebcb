#include "host/run/peak_memory.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

namespace fastvideo::host {

PeakMemory::PeakMemory(const RunDevice& device)
    : device_(cuda_driver().devices.at(static_cast<size_t>(device.facts.device.index))) {
  look();
  before_ = most_;
  thread_ = std::thread([this] {
    while (!ending_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      look();
    }
  });
}

PeakMemory::~PeakMemory() {
  ending_ = true;
  thread_.join();
}

void PeakMemory::look() {
  if (const auto free = free_memory(device_))
    most_ = std::max<uint64_t>(most_, device_.total_memory - std::min(*free, device_.total_memory));
}

std::optional<uint64_t> PeakMemory::bytes() const { return most_ > 0 ? std::optional<uint64_t>(most_) : std::nullopt; }

// "VmHWM:    123456 kB"
uint64_t peak_host_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

}  // namespace fastvideo::host
