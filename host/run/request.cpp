#include "host/run/request.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "host/run/prompts.hpp"
#include "host/run/utf8.hpp"

namespace fastvideo {
namespace {

// A negative prompt, say. Names of files may be anything.
void require_text(const std::vector<ItemSetting>& parameters, const Item& pipeline) {
  for (const ItemSetting& one : parameters) {
    const auto spec = std::find_if(pipeline.options.begin(), pipeline.options.end(),
                                   [&](const OptionSpec& option) { return option.name == one.name; });
    if (one.setting.value.type() == FV_VALUE_STRING && spec != pipeline.options.end() && !spec->is_path)
      require_utf8(one.setting.value.string(), one.setting.source.describe());
  }
}

}  // namespace

PipelineRequest::PipelineRequest(const Settings& settings, const Item& pipeline, const RunDevice& device,
                                 const Preset* preset)
    : parameters_(settings.of_item(pipeline.settings_prefix(), pipeline.options)),
      prompts_(prompts_of(settings)),
      device_(device.name) {
  if (preset != nullptr) complete(parameters_, *preset, pipeline);
  require_text(parameters_, pipeline);
  if (const Setting* seed = settings.find("request.seed")) {
    seed_ = seed->value.integer();
  } else {
    seed_ = std::random_device()() & 0x7fffffffu;  // short enough to be typed again
    seed_was_drawn_ = true;
  }
  select(0);
}

void PipelineRequest::set(std::string_view parameter, Value value) {
  const auto named = [&](const ItemSetting& one) { return one.name == parameter; };
  if (const auto found = std::find_if(parameters_.begin(), parameters_.end(), named); found != parameters_.end())
    found->setting.value = std::move(value);
  select(at_);
}

void PipelineRequest::select(std::size_t index) {
  at_ = index;
  Value::Table values = to_table(parameters_);
  values.push_back({"prompt", prompt()});
  values.push_back({"seed", seed_});
  values.push_back({"device", device_});
  if (index + 1 < prompts_.size()) {
    Value::List later;
    for (std::size_t i = index + 1; i < prompts_.size(); ++i) later.emplace_back(prompts_[i]);
    values.push_back({"later_prompts", std::move(later)});
  }
  memory_ = AbiValues();
  const std::span<const fv_entry> entries = memory_.add(values);
  abi_ = {sizeof abi_, static_cast<uint32_t>(entries.size()), entries.data()};
}

}  // namespace fastvideo
