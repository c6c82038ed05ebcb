#include "pipelines/common/diffusers_folder/diffusers_folder.hpp"

#include <algorithm>
#include <fastvideo/core.hpp>

#include "pipelines/common/weights/linked_file.hpp"

namespace fastvideo {
namespace {

// Something is there, be it a link that leads nowhere: reading it says why it cannot be read.
bool is_there(const std::filesystem::path& file) {
  std::error_code none;
  return std::filesystem::symlink_status(file, none).type() != std::filesystem::file_type::not_found;
}

// The file, once folder and file are there.
std::filesystem::path index_of(const std::filesystem::path& folder) {
  if (std::error_code none; !file_is_there(folder) || !std::filesystem::is_directory(folder, none))
    throw Refused(folder.string() +
                  ": no such folder. A model is a local folder in diffusers format: download it, for instance with "
                  "'hf download Wan-AI/Wan2.1-T2V-1.3B-Diffusers --local-dir FOLDER'");
  if (!is_there(folder / "model_index.json"))
    throw Refused(folder.string() + ": no model_index.json, so this is not a model folder in diffusers format");
  return folder / "model_index.json";
}

}  // namespace

DiffusersFolder::DiffusersFolder(const std::filesystem::path& path) : path_(path), index_(index_of(path)) {
  if (pipeline_class().empty()) index_.refuse("no _class_name: not a model folder in diffusers format");
}

std::string DiffusersFolder::component_class(std::string_view component) const {
  const nlohmann::json value = index_.value(component);
  if (value.is_null()) return {};
  if (!value.is_array() || value.size() != 2) index_.refuse(component, "it must be [library, class]");
  if (value[0].is_null() && value[1].is_null()) return {};
  if (!value[1].is_string()) index_.refuse(component, "it must be [library, class]");
  return value[1].get<std::string>();
}

void DiffusersFolder::require_class(std::string_view component, std::initializer_list<std::string_view> classes) const {
  const std::string name = component_class(component);
  if (std::find(classes.begin(), classes.end(), name) != classes.end()) return;
  std::string list;
  for (const std::string_view allowed : classes) list += (list.empty() ? "" : " or ") + std::string(allowed);
  if (name.empty()) index_.refuse(std::string(component) + " is missing: it must be " + list);
  index_.refuse(component, "it must be " + list);
}

void DiffusersFolder::require_folders(std::initializer_list<const char*> components) const {
  std::string missing;
  for (const char* component : components)
    if (!file_is_there(path_ / component)) missing += (missing.empty() ? "" : ", ") + std::string(component);
  if (!missing.empty())
    throw Refused(path_.string() + ": model_index.json is there, and these folders are not: " + missing + "; " +
                  download_advice(path_));
}

}  // namespace fastvideo
