#include "host/model/model_folder.hpp"

#include <fastvideo/broken_link.hpp>
#include <fastvideo/input_file.hpp>
#include <nlohmann/json.hpp>

#include "host/config/paths.hpp"
#include "host/error/error.hpp"
#include "host/model/hub_cache.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

// A real one has a kilobyte; more than this is something else under that name.
constexpr uintmax_t kMostIndexBytes = 16 << 20;

constexpr const char* kModelPath = "request.model_path";

std::string class_name_of(const fs::path& file) {
  const auto index =
      parse_json<nlohmann::json>(read_input_file(file.string(), kMostIndexBytes, "an index of a model"), file.string());
  const auto name = index.is_object() ? index.find("_class_name") : index.end();
  if (name == index.end() || !name->is_string())
    throw RequestError(file.string() + ": no text under _class_name, so it is not a model in diffusers format");
  return name->get<std::string>();
}

constexpr const char* kDiffusersFolder =
    "give the folder of a model in diffusers format (hf download Wan-AI/Wan2.1-T2V-1.3B-Diffusers --local-dir FOLDER)";

// What to do with a file in the place of a folder.
std::string instead_of_file(const fs::path& file) {
  const std::string name = file.filename().string();
  if (name == "model_index.json" || name == "config.json")
    return ", but a file of one: give " +
           (name == "config.json" ? file.parent_path().parent_path() : file.parent_path()).string();
  const fs::path extension = file.extension();
  if (extension == ".gguf")
    return ": GGUF files hold quantised weights, which are not read; " + std::string(kDiffusersFolder);
  if (extension == ".safetensors" || extension == ".ckpt" || extension == ".pt" || extension == ".pth" ||
      extension == ".bin")
    return ": a single file has the weights of one part of a model, without text encoder and configurations; " +
           std::string(kDiffusersFolder);
  return ": " + std::string(kDiffusersFolder);
}

// What the folder is, if it has no model_index.json.
std::string instead_of_index(const fs::path& folder) {
  const fs::path index = folder / "model_index.json";
  std::error_code failure;
  if (const std::string link = broken_link(index.string()); !link.empty())
    return ", for that " + link +
           ": download the model again with hf download OWNER/NAME --force-download, or make the " + "link anew";
  if (fs::exists(folder.parent_path() / "model_index.json", failure))
    return ": it is a part of the model above it; give " + folder.parent_path().string();
  std::string below, weights;
  for (const fs::path& entry : entries_of(folder)) {
    if (fs::is_directory(entry, failure) && fs::exists(entry / "model_index.json", failure) && below.empty())
      below = entry.string();
    const fs::path extension = entry.extension();
    if ((extension == ".gguf" || extension == ".safetensors" || extension == ".pth") && weights.empty())
      weights = entry.filename().string();
  }
  if (!below.empty()) return ", and the folder " + below + " in it has one: give that";
  if (fs::path(weights).extension() == ".gguf")
    return ", but " + weights + ": GGUF files hold quantised weights, which are not read; " + kDiffusersFolder;
  if (!weights.empty())
    return ", but " + weights + ": these are original weights, not in diffusers format; " + kDiffusersFolder;
  return std::string(": ") + kDiffusersFolder;
}

}  // namespace

ModelFolder open_model_folder(const Settings& settings) {
  const Setting* setting = settings.find(kModelPath);
  if (setting == nullptr || setting->value.string().empty())
    throw RequestError(
        "no model is given: --model-path FOLDER, a model in diffusers format, or the name of a "
        "downloaded repository (Wan-AI/Wan2.1-T2V-1.3B-Diffusers)",
        kModelPath);
  const std::string& asked = setting->value.string();
  const std::string named = asked + " (" + setting->source.describe() + ")";
  std::error_code failure;
  if (const std::string link = broken_link(asked); !link.empty())
    throw RequestError("the model folder " + named + " " + link + ": make the link anew, or give the folder itself");
  if (!fs::exists(asked, failure) && is_repository_name(asked)) {
    const fs::path snapshot = downloaded_snapshot(asked, hub_cache_folder());
    return {snapshot, asked, class_name_of(snapshot / "model_index.json")};
  }
  const fs::path folder = fs::canonical(asked, failure);
  if (failure) throw RequestError("the model folder " + named + " cannot be opened: " + failure.message(), kModelPath);
  if (!fs::is_directory(folder, failure))
    throw RequestError("the model " + named + " is not a folder" + instead_of_file(folder), kModelPath);
  const fs::path file = folder / "model_index.json";
  // A link loop is an error of its own: reading says so.
  if (!fs::exists(file, failure) && !failure)
    throw RequestError("the folder " + named + " has no model_index.json" + instead_of_index(folder), kModelPath);
  return {folder, folder.filename().string(), class_name_of(file)};
}

}  // namespace fastvideo::host
