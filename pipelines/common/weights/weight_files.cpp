#include "pipelines/common/weights/weight_files.hpp"

#include <algorithm>
#include <fastvideo/core.hpp>
#include <fastvideo/input_file.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "pipelines/common/weights/linked_file.hpp"

namespace fastvideo {
namespace {

using nlohmann::json;
using std::filesystem::path;

// The index of a model of 500,000 tensors is a tenth of this size.
constexpr uint64_t kMostIndexBytes = 512 << 20;

/// Tensor name to shard file name.
using WeightMap = std::map<std::string, std::string>;

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
    // A shard lies beside its index: an index cannot name a file elsewhere.
    if (name.empty() || name == "." || name == ".." || path(name).filename() != path(name))
      refuse("tensor " + quote_name(tensor) + " is in " + quote_name(name) + ", which is not a file beside the index");
    if (path(name).extension() != ".safetensors")
      refuse("tensor " + quote_name(tensor) + " is in " + quote_name(name) + ": only .safetensors weights are read");
    map.emplace(tensor, name);
  }
  return map;
}

/// "3" for "model-00001-of-00003.safetensors", 0 for a name that does not count.
size_t shards_of_name(const std::string& name) {
  const size_t of = name.rfind("-of-");
  if (of == std::string::npos) return 0;
  size_t count = 0;
  for (size_t i = of + 4; i < name.size() && name[i] >= '0' && name[i] <= '9' && count < 100'000; ++i)
    count = count * 10 + static_cast<size_t>(name[i] - '0');
  return count;
}

// diffusers' save_pretrained does not remove the index of shards when it replaces them by one file.
std::string advice_without_shard(const path& index) {
  const path single = index.parent_path() / index.stem().stem();
  if (index.extension() == ".json" && single.extension() == ".safetensors" && file_is_there(single))
    return "if the model was saved again as " + single.filename().string() + ", remove that index";
  return download_advice(index.parent_path());
}

std::vector<SafetensorsHeader> read_shards(const path& index) {
  const WeightMap map = read_index(index);
  std::set<std::string> names;
  for (const auto& [tensor, shard] : map) names.insert(shard);
  if (const size_t count = shards_of_name(*names.begin()); count > names.size())
    throw Refused(index.string() + ": it names " + std::to_string(names.size()) + " of " + std::to_string(count) +
                  " shards (" + quote_name(*names.begin()) + "), so it is not that of this model; " +
                  download_advice(index.parent_path()));
  std::vector<SafetensorsHeader> shards;
  std::map<std::string, std::string> owner;
  for (const std::string& name : names) {
    const path file = index.parent_path() / name;
    if (!file_is_there(file))
      throw Refused(index.string() + ": shard " + quote_name(name) + " is missing; " + advice_without_shard(index));
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

/// Whether a file holds weights or is an index of them.
bool is_of_weights(const path& file) {
  const std::string name = file.filename().string();
  return file.extension() == ".safetensors" || name.find(".safetensors.index.") != std::string::npos;
}

/// "fp16" for "model.fp16.safetensors", "model.fp16-00001-of-00002.safetensors" and
/// "model.safetensors.index.fp16.json"; empty for any other name.
std::string variant_of(const std::string& name, std::string_view stem) {
  const std::string index = std::string(stem) + ".safetensors.index.", json = ".json";
  if (name.starts_with(index) && name.ends_with(json) && name.size() > index.size() + json.size())
    return name.substr(index.size(), name.size() - index.size() - json.size());
  const std::string begin = std::string(stem) + ".", end = ".safetensors";
  if (!name.starts_with(begin) || !name.ends_with(end) || name.size() <= begin.size() + end.size()) return {};
  const std::string middle = name.substr(begin.size(), name.size() - begin.size() - end.size());
  return middle.substr(0, middle.find('-'));
}

std::string with_variant(std::string name, const std::string& variant) {
  if (!variant.empty()) name.insert(name.rfind('.'), "." + variant);
  return name;
}

std::vector<path> files_in(const path& folder) {
  std::vector<path> files;
  std::error_code failure;
  for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure))
    files.push_back(at->path());
  if (failure) throw Refused(folder.string() + ": cannot be read: " + failure.message());
  std::sort(files.begin(), files.end());
  return files;
}

std::string named(const std::vector<std::string>& names) {
  constexpr size_t kMost = 4;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kMost; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text + (names.size() > kMost ? " and " + std::to_string(names.size() - kMost) + " more" : "");
}

[[noreturn]] void refuse_without_weights(const path& folder, std::string_view stem, const std::string& variant) {
  std::vector<std::string> pickled, other, quantised;
  std::set<std::string> variants;
  for (const path& file : files_in(folder)) {
    const std::string name = file.filename().string();
    const path extension = file.extension();
    if (extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt")
      pickled.push_back(name);
    else if (extension == ".gguf")
      quantised.push_back(name);
    else if (is_of_weights(file))
      other.push_back(name);
    if (const std::string found = variant_of(name, stem); !found.empty()) variants.insert(found);
  }
  const std::string wanted = with_variant(std::string(stem) + ".safetensors", variant);
  const std::string missing = folder.string() + ": no " + wanted + " or its index, only ";
  if (!variants.empty())
    throw Refused(missing + named(other) + ": read that variant with --variant " + *variants.begin());
  if (!quantised.empty())
    throw Refused(missing + named(quantised) +
                  ": GGUF files hold quantised weights, which are not read; take the "
                  "model's folder in bfloat16 or float32 (hf download OWNER/NAME)");
  if (!other.empty())
    throw Refused(missing + named(other) + ": if that file has the weights, give it the name " + wanted);
  if (!pickled.empty())
    throw Refused(folder.string() + ": only pickled weights (" + named(pickled) +
                  "), which can run code when read; save them as safetensors: save_pretrained(FOLDER) does");
  throw Refused(folder.string() + ": no weights: " + wanted + " is missing; " + download_advice(folder));
}

}  // namespace

WeightFiles find_weight_files(const path& folder, std::string_view stem, const std::string& variant) {
  if (std::error_code none; !std::filesystem::is_directory(folder, none))
    throw Refused(folder.string() + ": no such folder; " + download_advice(folder));
  const path single = folder / with_variant(std::string(stem) + ".safetensors", variant);
  const path index = folder / with_variant(std::string(stem) + ".safetensors.index.json", variant);
  // transformers looks for the file first, diffusers for the index.
  const bool file_first = stem == "model";
  const bool by_index = !(file_first && file_is_there(single)) && file_is_there(index);
  if (!by_index && !file_is_there(single)) refuse_without_weights(folder, stem, variant);
  WeightFiles found;
  if (by_index)
    found.headers = read_shards(index);
  else
    found.headers = {read_safetensors_header(single)};

  std::set<path> read;
  for (const SafetensorsHeader& header : found.headers) read.insert(header.file);
  for (const path& file : files_in(folder))
    if (is_of_weights(file) && read.count(file) == 0 && !(by_index && file == index))
      found.left_over.push_back(file.filename().string());
  return found;
}

bool has_variant(const path& folder, std::string_view stem, const std::string& variant) {
  if (std::error_code none; !std::filesystem::is_directory(folder, none)) return false;
  const std::vector<path> files = files_in(folder);
  return std::any_of(files.begin(), files.end(),
                     [&](const path& file) { return variant_of(file.filename().string(), stem) == variant; });
}

std::vector<SafetensorsHeader> read_weight_headers(const path& folder, std::span<const std::string_view> stems) {
  for (const std::string_view stem : stems)
    if (const std::string name(stem);
        file_is_there(folder / (name + ".safetensors")) || file_is_there(folder / (name + ".safetensors.index.json")))
      return find_weight_files(folder, stem).headers;
  return find_weight_files(folder, stems.front()).headers;
}

}  // namespace fastvideo
