#include "host/plugins/plugin_code.hpp"

#include <fastvideo/attention.h>
#include <fastvideo/cache.h>
#include <fastvideo/pipeline.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "host/calls/call_note.hpp"
#include "host/error/error.hpp"
#include "host/plugins/preflight.hpp"

namespace fastvideo::host {
namespace {

constexpr const char* kEntryName = "fastvideo_plugin";

std::string text(const char* said) { return said == nullptr ? "nothing (NULL)" : "'" + std::string(said) + "'"; }
bool equal(const char* said, const std::string& wanted) { return said != nullptr && wanted == said; }

bool is_same(const fv_item* code, const Item& item) {
  return equal(code->kind, item.kind) && equal(code->name, item.name) &&
         equal(code->implementation, item.implementation);
}

std::string describe(const fv_item* code) {
  if (code->kind == nullptr || code->name == nullptr || code->implementation == nullptr)
    return "an item without a name";
  return std::string(code->kind) + " " + code->name + "/" + code->implementation;
}

std::string describe(const Item& item) { return item.kind + " " + item.full_name(); }

// What a user can do, who cannot build it.
std::string get_another_build() {
  return "; get the plugin's version for ABI " + std::to_string(FV_ABI_MAJOR) + "." + std::to_string(FV_ABI_MINOR) +
         " from its author";
}

// Code and manifest tell different things.
RequestError disagree(const std::filesystem::path& file, const std::string& what) {
  return RequestError(file.string() + ": " + what +
                      "; install the plugin anew, its files are of different builds (for its author: rebuild it, so "
                      "that code and plugin.toml agree)");
}

}  // namespace

void check_library_file(const Item& item) {
  const std::string file = item.library.string();
  const SharedObject object = read_shared_object(item.library);
  if (std::ranges::count(object.exports, kEntryName) == 0)
    throw RequestError(file + ": exports no " + kEntryName +
                       ", so it is no plugin; was it linked with a version script that hides it?");
  if (object.exports.size() > 1) {
    const std::string& other = object.exports[object.exports[0] == kEntryName ? 1 : 0];
    throw RequestError(file + ": exports " + std::to_string(object.exports.size() - 1) + " symbols beside " +
                       kEntryName + " ('" + other +
                       "'), which can clash with other plugins; build it with fastvideo_add_plugin()");
  }
  const auto is_torch = [](const std::string& needed) {
    return needed.starts_with("libtorch") || needed.starts_with("libc10");
  };
  const auto torch = std::find_if(object.needed.begin(), object.needed.end(), is_torch);
  if (torch != object.needed.end() && item.needs.torch.empty())
    throw RequestError(file + ": is linked with " + *torch +
                       ", but its manifest names no LibTorch; add torch = " + "\"major.minor\" to [item.needs]");
}

void check_plugin_code(const fv_plugin* code, const Manifest& manifest, const std::filesystem::path& file) {
  const std::string who = file.string() + ": ";
  const auto version = [](int major, int minor) { return std::to_string(major) + "." + std::to_string(minor); };
  if (code->struct_size < sizeof(fv_plugin))
    throw RequestError(who + "fv_plugin has " + std::to_string(code->struct_size) + " bytes, ABI " +
                       version(FV_ABI_MAJOR, FV_ABI_MINOR) + " needs " + std::to_string(sizeof(fv_plugin)) +
                       get_another_build());
  if (code->abi_major != FV_ABI_MAJOR || code->abi_minor != FV_ABI_MINOR)
    throw RequestError(who + "built for plugin ABI " + version(code->abi_major, code->abi_minor) +
                       ", this host takes exactly " + version(FV_ABI_MAJOR, FV_ABI_MINOR) + get_another_build());
  if (!equal(code->id, manifest.id))
    throw disagree(file, "its manifest says id '" + manifest.id + "', its code " + text(code->id));
  if (!equal(code->version, manifest.version))
    throw disagree(file, "its manifest says version '" + manifest.version + "', its code " + text(code->version));
  if (code->item_count > 0 && code->items == nullptr) throw disagree(file, "its list of items is NULL");
  for (uint32_t i = 0; i < code->item_count; ++i) {
    const fv_item* one = code->items[i];
    if (one == nullptr || one->struct_size < sizeof(fv_item) || one->get_interface == nullptr)
      throw disagree(file, "item " + std::to_string(i) + " of its code is incomplete");
    const auto listed = [&](const Item& item) { return item.library == file && is_same(one, item); };
    if (std::none_of(manifest.items.begin(), manifest.items.end(), listed))
      throw disagree(file, "its code offers " + describe(one) + ", which the manifest does not list for it");
  }
  for (const Item& item : manifest.items)
    if (item.known_kind() && item.library == file && find_item_code(code, item) == nullptr)
      throw disagree(file, "its manifest lists " + describe(item) + ", which its code does not offer");
}

const fv_item* find_item_code(const fv_plugin* code, const Item& item) {
  for (uint32_t i = 0; i < code->item_count; ++i)
    if (is_same(code->items[i], item)) return code->items[i];
  return nullptr;
}

namespace {

// What the tables of a kind have, from the ABI's first revision on.
struct KindTable {
  const char* id;
  size_t bytes;
  std::vector<TableFunction> functions;
};

KindTable table_of_kind(const std::string& kind) {
  if (kind == "attention") {
    using Table = fv_attention_interface;
    return {FV_ATTENTION_INTERFACE,
            sizeof(Table),
            {{"create", offsetof(Table, create)},
             {"destroy", offsetof(Table, destroy)},
             {"supports", offsetof(Table, supports)},
             {"plan", offsetof(Table, plan)},
             {"run", offsetof(Table, run)},
             {"destroy_plan", offsetof(Table, destroy_plan)}}};
  }
  if (kind == "cache") {
    using Table = fv_cache_interface;
    return {FV_CACHE_INTERFACE,
            sizeof(Table),
            {{"create", offsetof(Table, create)},
             {"destroy", offsetof(Table, destroy)},
             {"supports", offsetof(Table, supports)},
             {"open", offsetof(Table, open)},
             {"decide", offsetof(Table, decide)},
             {"close", offsetof(Table, close)}}};
  }
  using Table = fv_pipeline_interface;
  return {FV_PIPELINE_INTERFACE,
          sizeof(Table),
          {{"create", offsetof(Table, create)},
           {"destroy", offsetof(Table, destroy)},
           {"check", offsetof(Table, check)},
           {"run", offsetof(Table, run)}}};
}

// Throws unless `table` is of the size that the ABI's first revision has and holds every required function.
void check_table(const void* table, size_t bytes, std::span<const TableFunction> functions, const std::string& id,
                 const std::string& who) {
  if (table == nullptr) throw RequestError(who + " is listed but offers no " + id + get_another_build());
  const std::string place = who + ": " + id;
  uint32_t said = 0;
  std::memcpy(&said, table, sizeof(said));
  if (said < bytes)
    throw RequestError(place + " has " + std::to_string(said) + " bytes, this ABI needs " + std::to_string(bytes) +
                       get_another_build());
  for (const TableFunction& function : functions) {
    const void* address = nullptr;
    std::memcpy(&address, static_cast<const char*>(table) + function.offset, sizeof(address));
    if (address == nullptr) throw RequestError(place + " has no function '" + function.name + "'");
  }
}

std::string name_of(const Item& item) { return item.library.string() + ": " + item.full_name(); }

const void* get_table(const fv_item* code, const char* id, const std::string& who) {
  const CallNote note(call_name("get_interface", who));
  try {
    return code->get_interface(id);
  } catch (...) {
    throw RequestError(who + ": get_interface threw an exception across the ABI; report this to the plugin's author");
  }
}

}  // namespace

void check_kind_table(const void* table, const Item& item, const std::string& who) {
  const KindTable kind = table_of_kind(item.kind);
  check_table(table, kind.bytes, kind.functions, kind.id, who);
}

const void* required_table(const fv_item* code, const Item& item) {
  const void* table = get_table(code, table_of_kind(item.kind).id, name_of(item));
  check_kind_table(table, item, name_of(item));
  return table;
}

const void* further_table(const fv_item* code, const Item& item, const char* id, size_t bytes,
                          std::initializer_list<TableFunction> functions, bool is_required) {
  const void* table = get_table(code, id, name_of(item));
  if (table != nullptr || is_required) check_table(table, bytes, functions, id, name_of(item));
  return table;
}

}  // namespace fastvideo::host
