#include "host/run/request.hpp"

#include <random>

namespace fastvideo {

PipelineRequest::PipelineRequest(const Settings& settings, const Item& pipeline, const RunDevice& device,
                                 const Preset* preset)
    : parameters_(settings.of_item(pipeline.settings_prefix(), pipeline.options)) {
  if (preset != nullptr) complete(parameters_, *preset, pipeline);
  if (const Setting* prompt = settings.find("request.prompt")) prompt_ = prompt->value.string();
  if (const Setting* seed = settings.find("request.seed")) {
    seed_ = seed->value.integer();
  } else {
    seed_ = std::random_device()() & 0x7fffffffu;  // short enough to be typed again
    seed_was_drawn_ = true;
  }
  Value::Table values = to_table(parameters_);
  values.push_back({"prompt", prompt_});
  values.push_back({"seed", seed_});
  values.push_back({"device", device.name});
  const std::span<const fv_entry> entries = memory_.add(values);
  abi_ = {sizeof abi_, static_cast<uint32_t>(entries.size()), entries.data()};
}

}  // namespace fastvideo
