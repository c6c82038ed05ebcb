// One run on CUDA, and of each stage what the host says it holds beside what LibTorch's allocator then holds; for
// on_device.py. Arguments: lib/fastvideo of a build, and settings as PATH=TEXT.
#include <c10/core/CachingDeviceAllocator.h>

#include <cstdio>
#include <exception>

#include "tests/memory_ledger/installed_run.hpp"

namespace fastvideo::host {
namespace {

// Bytes that LibTorch holds and has reserved of the device, at most since begin() or now.
class DeviceMemory {
 public:
  explicit DeviceMemory(int index) : index_(static_cast<c10::DeviceIndex>(index)) {}
  void begin() { allocator().resetPeakStats(index_); }
  uint64_t peak() {
    const auto [free, total] = allocator().getMemoryInfo(index_);
    const c10::CachingDeviceAllocator::DeviceStats stats = allocator().getDeviceStats(index_);
    const auto now = static_cast<uint64_t>(stats.reserved_bytes[0].current);
    most_reserved_ = std::max(most_reserved_, static_cast<uint64_t>(stats.reserved_bytes[0].peak));
    beside_ = total - free - now;
    return static_cast<uint64_t>(stats.allocated_bytes[0].peak);
  }
  uint64_t most_reserved() const { return most_reserved_; }
  /// In use on the device beside what LibTorch has reserved, at the end of the last stage.
  uint64_t beside() const { return beside_; }

 private:
  static c10::DeviceAllocator& allocator() { return *c10::getDeviceAllocator(c10::kCUDA); }
  c10::DeviceIndex index_;
  uint64_t most_reserved_ = 0, beside_ = 0;
};

void measure(const std::string& library, const SettingTexts& wanted) {
  const Installed installed(library);
  const Settings settings = installed.settings(wanted);
  const CancelToken cancel;
  LoadedModel model(settings, installed.catalog(), services_of_test(settings));
  CheckedRequest request(model, settings);
  DeviceMemory memory(model.device().facts.device.index);
  bool has_begun = false;
  StagePeaks peaks([&] { return memory.peak(); },
                   [&] {  // the allocator is there once something is on the device
                     if (has_begun) memory.begin();
                     has_begun = true;
                   });
  run(request, &peaks, nowhere(), cancel);
  for (const PipelineEstimate::Bytes& stage : request.memory().stages)
    std::printf("%s\t%llu\t%llu\n", stage.name.c_str(), static_cast<unsigned long long>(stage.bytes),
                static_cast<unsigned long long>(peaks.peaks().at(stage.name)));
  std::printf("reserved, beside\t%llu\t%llu\n", static_cast<unsigned long long>(memory.most_reserved()),
              static_cast<unsigned long long>(memory.beside()));
}

}  // namespace
}  // namespace fastvideo::host

int main(int count, char** arguments) {
  try {
    fastvideo::host::SettingTexts wanted;
    for (int i = 2; i < count; ++i) {
      const std::string text = arguments[i];
      const size_t at = text.find('=');
      wanted[text.substr(0, at)] = text.substr(at + 1);
    }
    fastvideo::host::measure(arguments[1], wanted);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
