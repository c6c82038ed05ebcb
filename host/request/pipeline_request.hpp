// What is asked of a pipeline, out of the settings.
#pragma once

#include <fastvideo/pipeline.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/settings.hpp"
#include "host/model/device.hpp"
#include "host/plugins/manifest.hpp"
#include "host/request/preset.hpp"

namespace fastvideo::host {

/// A request in the ABI's form, with the memory behind it.
class PipelineRequest {
 public:
  /// The pipeline's parameters, completed by the preset (nullptr: none) and by defaults and checked, and prompt, seed
  /// and device. Without a seed in the settings a random one is drawn. Throws RequestError: a parameter out of range;
  /// as prompts_of.
  PipelineRequest(const Settings& settings, const Item& pipeline, const RunDevice& device, const Preset* preset);
  PipelineRequest(const PipelineRequest&) = delete;
  PipelineRequest& operator=(const PipelineRequest&) = delete;

  const fv_pipeline_request& get() const { return abi_; }

  /// The prompt that is asked for, the first one to begin with; empty if there is none.
  const std::string& prompt() const { return prompts_.empty() ? none_ : prompts_[at_]; }
  /// How many prompts there are.
  size_t count() const { return prompts_.size(); }
  /// Asks for the prompt `index` from now on.
  void select(size_t index);
  uint64_t seed() const { return seed_; }
  bool seed_was_drawn() const { return seed_was_drawn_; }
  /// Another value of a parameter from now on. Unchecked; without effect if the pipeline has no such parameter.
  void set(std::string_view parameter, Value value);
  /// Those of the manifest, with their origin.
  const std::vector<ItemSetting>& parameters() const { return parameters_; }

 private:
  std::vector<ItemSetting> parameters_;
  std::vector<std::string> prompts_;
  size_t at_ = 0;
  std::string none_, device_;
  uint64_t seed_ = 0;
  bool seed_was_drawn_ = false;
  AbiValues memory_;
  std::vector<fv_value> prompt_values_;  // all of them once: those that follow a prompt are the end of the list
  std::vector<fv_entry> entries_;
  fv_pipeline_request abi_{};
};

}  // namespace fastvideo::host
