#include "host/model/device.hpp"

#include <algorithm>
#include <charconv>

#include "host/error/error.hpp"
#include "host/hardware/hardware.hpp"
#include "host/hardware/process_limits.hpp"

namespace fastvideo::host {
namespace {

constexpr const char* kDevice = "run.device";

RunDevice cpu(std::string why) {
  const CpuInfo info = cpu_info();
  std::string description = info.model.empty() ? "CPU" : info.model;
  description += ", " + std::to_string(info.threads) + (info.threads == 1 ? " thread" : " threads");
  return {{{FV_DEVICE_CPU, 0}, 0, info.total_memory}, "cpu", std::move(description), std::move(why)};
}

RunDevice cuda(const CudaDevice& device, std::string why) {
  return {{{FV_DEVICE_CUDA, device.index}, device.architecture(), device.total_memory},
          "cuda:" + std::to_string(device.index),
          device.name + " (sm" + std::to_string(device.architecture()) + ")",
          std::move(why)};
}

// The N of "cuda:N", 0 for "cuda"; nothing if the text is neither.
std::optional<int> cuda_index(std::string_view text) {
  if (text == "cuda") return 0;
  if (!text.starts_with("cuda:")) return std::nullopt;
  text.remove_prefix(5);
  int index = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (failure != std::errc() || end != text.data() + text.size() || index < 0) return std::nullopt;
  return index;
}

}  // namespace

RunDevice resolve_device(const Settings& settings, const std::function<std::string()>& against_cuda) {
  const Setting& setting = settings.at(kDevice);
  const std::string& asked = setting.value.string();
  const std::string by = "asked for by " + setting.source.describe();
  if (asked == "cpu") return cpu(by);
  if (asked == "auto") {
    const CudaDriver& driver = cuda_driver();
    if (driver.devices.empty()) return cpu("auto: " + driver.problem);
    if (const std::string why_not = against_cuda(); !why_not.empty())
      return cpu("auto: not on " + driver.devices.front().name + ", for " + why_not);
    return cuda(driver.devices.front(), "auto: the first CUDA device");
  }
  const std::optional<int> index = cuda_index(asked);
  if (!index)
    throw RequestError(
        setting.source.describe() + ": '" + asked + "' is no device; there are cpu, cuda, cuda:N and auto", kDevice);
  const CudaDriver& driver = cuda_driver();
  if (driver.devices.empty())
    throw RequestError("device " + asked + ", " + by + ", is not there: " + driver.problem + "; use --device cpu",
                       kDevice);
  for (const CudaDevice& device : driver.devices)
    if (device.index == *index) return cuda(device, by);
  throw RequestError("device " + asked + ", " + by +
                         ", is not there: this machine has cuda:0 to cuda:" + std::to_string(driver.devices.size() - 1),
                     kDevice);
}

std::optional<uint64_t> available_memory(const RunDevice& device) {
  if (!device.is_cuda()) {
    const uint64_t bytes = cpu_info().available_memory;
    const std::optional<uint64_t> allowed = bytes_within_limits();
    if (bytes == 0) return allowed;
    return std::min(bytes, allowed.value_or(bytes));
  }
  for (const CudaDevice& one : cuda_driver().devices)
    if (one.index == device.facts.device.index) return free_memory(one);
  return std::nullopt;
}

}  // namespace fastvideo::host
