#include "host/run/model_folder.hpp"

#include <fastvideo/input_file.hpp>
#include <nlohmann/json.hpp>

#include "host/error/error.hpp"
#include "host/run/hub_cache.hpp"

namespace fastvideo {
namespace {

namespace fs = std::filesystem;

// A real one has a kilobyte; more than this is something else under that name.
constexpr std::uintmax_t kMostIndexBytes = 16 << 20;

std::string class_name_of(const fs::path& file) {
  const auto index =
      parse_json<nlohmann::json>(read_input_file(file.string(), kMostIndexBytes, "an index of a model"), file.string());
  const auto name = index.is_object() ? index.find("_class_name") : index.end();
  if (name == index.end() || !name->is_string())
    throw RequestError(file.string() + ": no text under _class_name, so it is not a model in diffusers format");
  return name->get<std::string>();
}

}  // namespace

ModelFolder open_model_folder(const Settings& settings) {
  const Setting* setting = settings.find("request.model_path");
  if (setting == nullptr || setting->value.string().empty())
    throw RequestError(
        "no model is given: --model-path FOLDER, a model in diffusers format, or the name of a "
        "downloaded repository (Wan-AI/Wan2.1-T2V-1.3B-Diffusers)");
  const std::string& asked = setting->value.string();
  const std::string named = asked + " (" + setting->source.describe() + ")";
  std::error_code failure;
  if (!fs::exists(asked, failure) && is_repository_name(asked)) {
    const fs::path snapshot = downloaded_snapshot(asked, hub_cache_folder());
    return {snapshot, asked, class_name_of(snapshot / "model_index.json")};
  }
  const fs::path folder = fs::canonical(asked, failure);
  if (failure) throw RequestError("the model folder " + named + " cannot be opened: " + failure.message());
  if (!fs::is_directory(folder, failure)) throw RequestError("the model " + named + " is not a folder");
  const fs::path file = folder / "model_index.json";
  if (fs::symlink_status(file, failure).type() == fs::file_type::not_found)
    throw RequestError("the folder " + named +
                       " has no model_index.json: give the folder of a model in diffusers format");
  return {folder, folder.filename().string(), class_name_of(file)};
}

}  // namespace fastvideo
