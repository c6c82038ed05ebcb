// Which device a run uses.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "host/config/settings.hpp"
#include "host/plugins/limits.hpp"

namespace fastvideo::host {

/// The device of a run.
struct RunDevice {
  DeviceFacts facts;
  std::string name;         ///< "cpu", "cuda:0", as a request has it
  std::string description;  ///< "AMD EPYC 9B14, 2 threads", "NVIDIA H200"
  std::string why;          ///< "asked for by --device", "auto: no CUDA device (...)"
  bool is_cuda() const { return facts.device.type == FV_DEVICE_CUDA; }
};

/// What [run] device means on this machine. auto: the first CUDA device if there is one and nothing speaks against
/// using it, otherwise the CPU. `against_cuda` is asked only for auto and where there is a device; it answers why not
/// ("the pipeline runs on the CPU only"), or with an empty text. Throws RequestError for a device that is not there,
/// saying what is.
RunDevice resolve_device(const Settings& settings, const std::function<std::string()>& against_cuda);

/// Bytes that a run can have on the device now; nothing if the machine does not say.
std::optional<uint64_t> available_memory(const RunDevice& device);

}  // namespace fastvideo::host
