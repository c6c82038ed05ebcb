#include "host/request/pipeline_request.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "host/request/prompts.hpp"

namespace fastvideo::host {
namespace {

// A negative prompt, say. Names of files may be anything.
void require_text(const std::vector<ItemSetting>& parameters, const Item& pipeline) {
  for (const ItemSetting& one : parameters) {
    const OptionSpec* option = pipeline.option(one.name);
    if (one.setting.value.type() == FV_VALUE_STRING && option != nullptr && !option->is_path)
      require_utf8(one.setting.value.string(), one.setting.source.describe(), "request." + one.name);
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
    seed_ = seed_of(seed->value);
  } else {
    seed_ = std::random_device()() & 0x7fffffffu;  // short enough to be typed again
    seed_was_drawn_ = true;
  }
  for (const std::string& prompt : prompts_) {
    fv_value& value = prompt_values_.emplace_back();
    value.type = FV_VALUE_STRING;
    value.as.string = prompt.c_str();
  }
  select(0);
}

void PipelineRequest::set(std::string_view parameter, Value value) {
  const auto found = std::ranges::find(parameters_, parameter, &ItemSetting::name);
  if (found != parameters_.end()) found->setting.value = std::move(value);
  select(at_);
}

void PipelineRequest::select(size_t index) {
  at_ = index;
  Value::Table values = to_table(parameters_);
  if (!prompts_.empty()) values.push_back({"prompt", prompt()});
  values.push_back({"seed", static_cast<int64_t>(seed_)});  // the same 64 bits
  values.push_back({"device", device_});
  memory_ = AbiValues();
  const std::span<const fv_entry> entries = memory_.add(values);
  entries_.assign(entries.begin(), entries.end());
  if (index + 1 < prompts_.size()) {
    fv_entry later{"later_prompts", {}};
    later.value.type = FV_VALUE_LIST;
    later.value.count = static_cast<uint32_t>(prompts_.size() - index - 1);
    later.value.as.items = prompt_values_.data() + index + 1;
    entries_.push_back(later);
  }
  abi_ = {sizeof abi_, static_cast<uint32_t>(entries_.size()), entries_.data()};
}

}  // namespace fastvideo::host
