// Presets: what a pipeline's parameters are for a model, unless someone says otherwise.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/config/settings.hpp"
#include "host/model/model_folder.hpp"
#include "host/plugins/manifest.hpp"

namespace fastvideo::host {

/// One [[preset]] of a pipeline's data file "presets"; docs/plugin_manifest.md describes the file.
struct Preset {
  std::string name;         ///< "480p"
  std::string summary;      ///< one line
  bool is_default = false;  ///< taken when several apply and none is asked for
  Value::Table match;       ///< file of the model folder -> table of values that it must have
  Value::Table parameters;  ///< of the pipeline, by name
};

/// All presets of a pipeline, in the order of its file; none if it has no such data. Throws RequestError that begins
/// with the file: no TOML, an unknown key or parameter (with the nearest name), a value out of range.
std::vector<Preset> read_presets(const Item& pipeline);

/// The preset that [request] preset means for the model: by name, none, or for auto the one that applies, of several
/// the one that is marked as default. Throws RequestError: none of that name applies; several apply and none is marked.
std::optional<Preset> chosen_preset(const Settings& settings, const Item& pipeline, const ModelFolder& folder);

/// Puts the preset's values under those that were given and over the defaults.
void complete(std::vector<ItemSetting>& parameters, const Preset& preset, const Item& pipeline);

}  // namespace fastvideo::host
