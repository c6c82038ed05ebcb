#include "pipelines/common/weights/weight_files.hpp"

#include <fastvideo/input_file.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace fastvideo {
namespace {

using nlohmann::json;
using std::filesystem::path;

// That of a model of 500,000 tensors is a tenth of it.
constexpr uint64_t kMostIndexBytes = 512 << 20;

/// Tensor name to shard file name.
using WeightMap = std::map<std::string, std::string>;

// Something is there, be it a link that leads nowhere: reading it says why it cannot be read.
bool is_there(const path& file) {
  std::error_code none;
  return std::filesystem::symlink_status(file, none).type() != std::filesystem::file_type::not_found;
}

WeightMap read_index(const path& index) {
  const auto refuse = [&](const std::string& what) { throw Refused(index.string() + ": " + what); };
  const json document =
      parse_json<json>(read_input_file(index.string(), kMostIndexBytes, "an index of shards"), index.string());
  if (!document.is_object() || !document.contains("weight_map") || !document["weight_map"].is_object() ||
      document["weight_map"].empty())
    refuse("no weight_map from tensors to shards");
  WeightMap map;
  for (const auto& [tensor, shard] : document["weight_map"].items()) {
    if (!shard.is_string()) refuse("tensor " + quote_name(tensor) + " has no file name");
    const auto& name = shard.get_ref<const std::string&>();
    // A shard lies beside its index: an index cannot make us read elsewhere.
    if (name.empty() || name == "." || name == ".." || path(name).filename() != path(name))
      refuse("tensor " + quote_name(tensor) + " is in " + quote_name(name) + ", which is not a file beside the index");
    if (path(name).extension() != ".safetensors")
      refuse("tensor " + quote_name(tensor) + " is in " + quote_name(name) + ": only .safetensors weights are read");
    map.emplace(tensor, name);
  }
  return map;
}

std::vector<SafetensorsHeader> read_shards(const path& index) {
  const WeightMap map = read_index(index);
  std::set<std::string> names;
  for (const auto& [tensor, shard] : map) names.insert(shard);
  std::vector<SafetensorsHeader> shards;
  std::map<std::string, std::string> owner;
  for (const std::string& name : names) {
    const path file = index.parent_path() / name;
    if (!is_there(file))
      throw Refused(index.string() + ": shard " + quote_name(name) + " is missing; download the whole folder");
    shards.push_back(read_safetensors_header(file));
    for (const auto& [tensor, entry] : shards.back().tensors)
      if (const auto [first, is_new] = owner.emplace(tensor, name); !is_new)
        throw Refused(file.string() + ": tensor " + quote_name(tensor) + " is also in " + quote_name(first->second));
  }
  for (const auto& [tensor, shard] : map) {
    const auto found = owner.find(tensor);
    if (found == owner.end() || found->second != shard)
      throw Refused(index.string() + ": tensor " + quote_name(tensor) + " is not in " + quote_name(shard));
  }
  return shards;
}

[[noreturn]] void refuse_without_weights(const path& folder, std::span<const std::string_view> stems) {
  std::string pickled;
  std::string other;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    const path extension = entry.path().extension();
    std::string& list =
        extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt" ? pickled : other;
    if (&list == &pickled || extension == ".safetensors")
      list += (list.empty() ? "" : ", ") + entry.path().filename().string();
  }
  if (failure) throw Refused(folder.string() + ": cannot be read: " + failure.message());
  const std::string wanted = std::string(stems.front()) + ".safetensors or its .index.json";
  if (!other.empty()) throw Refused(folder.string() + ": no " + wanted + ", only " + other);
  if (!pickled.empty())
    throw Refused(folder.string() + ": only pickled weights (" + pickled +
                  "), which can run code when read; save them as safetensors: save_pretrained(FOLDER) does");
  throw Refused(folder.string() + ": no weights: " + wanted + " is missing");
}

}  // namespace

std::vector<SafetensorsHeader> read_weight_headers(const path& folder, std::span<const std::string_view> stems) {
  std::error_code none;
  if (!std::filesystem::is_directory(folder, none)) throw Refused(folder.string() + ": no such folder");
  for (const std::string_view stem : stems) {
    const path single = folder / (std::string(stem) + ".safetensors");
    const path index = folder / (std::string(stem) + ".safetensors.index.json");
    if (is_there(index)) return read_shards(index);
    if (is_there(single)) return {read_safetensors_header(single)};
  }
  refuse_without_weights(folder, stems);
}

}  // namespace fastvideo
