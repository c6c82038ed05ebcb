// What the host must know of a model folder: where it is, and which pipeline class it names.
#pragma once

#include <filesystem>
#include <string>

#include "host/config/settings.hpp"

namespace fastvideo::host {

/// A model folder in diffusers format.
struct ModelFolder {
  std::filesystem::path path;  ///< absolute
  std::string name;            ///< of the repository, or of the folder
  std::string class_name;      ///< _class_name of model_index.json, "WanPipeline"
};

/// Opens [request] model_path: a folder, or the name of a repository ("Wan-AI/Wan2.1-T2V-1.3B-Diffusers") whose
/// download lies in the Hugging Face cache of this machine. Throws RequestError: not given, no such folder, not
/// downloaded (with the command that does it), no model_index.json (or not JSON, or without _class_name).
ModelFolder open_model_folder(const Settings& settings);

}  // namespace fastvideo::host
