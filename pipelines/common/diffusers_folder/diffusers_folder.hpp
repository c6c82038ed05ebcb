// A model folder in diffusers format: model_index.json, which names the class of each component, beside a folder for
// each component. The family's reader says which components it needs.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

#include "pipelines/common/diffusers_folder/json_file.hpp"

namespace fastvideo {

/// The index of a model folder. Immutable.
class DiffusersFolder {
 public:
  /// Throws Refused if the folder does not exist or has no model_index.json with a _class_name.
  explicit DiffusersFolder(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const JsonFile& index() const { return index_; }

  /// The class of the pipeline that the folder is for: "WanPipeline".
  std::string pipeline_class() const { return index_.string("_class_name", ""); }

  /// The class of a component, which the index lists as [library, class]; empty for null, [null, null] or absent.
  std::string component_class(std::string_view component) const;

  /// Throws Refused unless the component's class is one of these.
  void require_class(std::string_view component, std::initializer_list<std::string_view> classes) const;

  /// Throws Refused unless each component has a folder: a download that ended after its first file is told from a
  /// folder of another kind.
  void require_folders(std::initializer_list<const char*> components) const;

 private:
  std::filesystem::path path_;
  JsonFile index_;
};

}  // namespace fastvideo
