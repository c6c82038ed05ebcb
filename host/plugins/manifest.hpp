// plugin.toml: what a plugin is, read without executing anything. docs/plugin_manifest.md specifies it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/config/schema.hpp"
#include "host/config/value.hpp"

namespace fastvideo::host {

/// [item.needs]: what must be opened before the library.
struct ItemNeeds {
  std::string torch;                   ///< LibTorch's major.minor, "2.11"; empty if it uses none
  std::vector<std::string> libraries;  ///< further shared libraries by soname
};

/// An architecture of a CUDA device, sm90 exactly, or sm80+ for that and later; or a word that this host does not know.
struct Architecture {
  int number = 0;  ///< 90; 0 if the word is unknown, which fits no device
  bool and_later = false;
  std::string unknown = {};  ///< the word, if it is

  std::string describe() const {
    return number == 0 ? unknown : "sm" + std::to_string(number) + (and_later ? "+" : "");
  }
};

/// Head sizes: those listed or, without list, from min to max in multiples.
struct HeadSizes {
  std::vector<int64_t> list;
  int64_t min = 1;
  int64_t max = INT64_MAX;
  int64_t multiple = 1;
  bool contains(int64_t head_size) const;
  std::string describe() const;  ///< "64, 128" or "8 to 256 in multiples of 8"
};

/// [item.limits]: what the item can serve at most. Absent: no limit.
struct ItemLimits {
  std::optional<std::vector<std::string>> devices;  ///< "cpu", "cuda"
  std::optional<std::vector<Architecture>> architectures;
  std::optional<std::vector<std::string>> dtypes;  ///< DLPack's names: "bfloat16"
  std::optional<HeadSizes> head_sizes;
  std::optional<uint32_t> masks;                  ///< FV_MASK_*
  std::optional<std::vector<std::string>> roles;  ///< "text.self", "dit.*"
};

/// [[item.data]]: a file that reaches the plugin parsed. It lies in the plugin's folder, or is the user's.
struct DataFile {
  std::string name;
  std::filesystem::path file;   ///< absolute; empty if the user names it
  std::string option = {};      ///< the item's option that names it; empty: the plugin's own
  std::string calibrated = {};  ///< "toml" or "json" if `fastvideo calibrate` writes such a file; else empty
};

/// [[item.installed]]: a file of a Python package that the user installs beside LibTorch. The item serves nothing
/// without it.
struct InstalledFile {
  std::string option;  ///< the item's option that names it; left out by the user, the host looks for it and fills it in
  std::string python;  ///< where it lies below a folder of Python packages; in its name one * stands for any rest
  std::string what;    ///< "FlashAttention-3"
  std::string install;  ///< the command that installs it
};

/// [[item]]: one implementation of one public name.
struct Item {
  std::string kind;               ///< "attention", "cache", "pipeline", or a kind that this host does not know
  std::string name;               ///< public name as the manifest spells it, "TORCH_SDPA"
  std::string implementation;     ///< "torch"
  std::filesystem::path library;  ///< absolute
  std::string summary;
  ItemNeeds needs;
  ItemLimits limits;
  std::vector<std::string> claims;         ///< attention: roles that choosing it globally governs
  uint32_t numerics = 0;                   ///< attention: FV_NUMERICS_*, the worst it may be
  std::vector<std::string> model_classes;  ///< pipeline: _class_name of model_index.json
  std::vector<OptionSpec> options;
  std::vector<DataFile> data;
  std::vector<InstalledFile> installed;
  uint32_t line = 0;  ///< of its [[item]] in the manifest

  /// The option of that name; nullptr if it has none.
  const OptionSpec* option(std::string_view name) const;
  /// The data that `fastvideo calibrate` measures for it; nullptr: it offers no calibration.
  const DataFile* calibrated_data() const;

  /// Whether this host knows the kind. Of other kinds only kind, name, implementation and summary are read.
  bool known_kind() const;
  /// "TORCH_SDPA/torch"
  std::string full_name() const { return name + "/" + implementation; }
  /// Where its settings are: "attention.TORCH_SDPA", "cache.teacache", "request" for a pipeline.
  std::string settings_prefix() const;
};

/// A plugin's manifest.
struct Manifest {
  std::filesystem::path folder;  ///< absolute
  std::filesystem::path file;    ///< folder/plugin.toml
  std::string id;                ///< "org.fastvideo.torch_sdpa"
  std::string version;
  std::string abi;  ///< "0.1"
  std::vector<Item> items;
  std::vector<std::string> warnings;  ///< unknown keys and the like: "file:line:column: ..."
};

/// Reads folder/plugin.toml. Throws RequestError ("file:line:column: what") if it is unreadable, not TOML, lacks
/// something or has something of a wrong type. Opens no library; data files are not read.
Manifest read_manifest(const std::filesystem::path& folder);

/// The same from text, for tests and fuzzing. `file` is what messages call it.
Manifest parse_manifest(std::string_view text, const std::filesystem::path& file);

/// The parsed data files of an item (JSON or TOML by their extension), under their names; those of the user as far as
/// `options` names them. Throws RequestError.
Value::Table read_data(const Item& item, const Value::Table& options = {});

/// Whether a pattern such as "dit.*", "dit.self" or "*" takes a role.
bool matches_role(std::string_view pattern, std::string_view role);

}  // namespace fastvideo::host
