// What the host must know of a model folder: where it is, and which pipeline class it names.
#pragma once

#include <filesystem>
#include <string>

#include "host/config/settings.hpp"

namespace fastvideo {

/// A model folder in diffusers format.
struct ModelFolder {
  std::filesystem::path path;  ///< absolute
  std::string class_name;      ///< _class_name of model_index.json, "WanPipeline"
};

/// Opens [request] model_path. Throws RequestError: not given, no such folder, no model_index.json (or not JSON, or
/// without _class_name).
ModelFolder open_model_folder(const Settings& settings);

}  // namespace fastvideo
