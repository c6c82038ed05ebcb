#include "host/runtime/plugin_items.hpp"

#include "host/runtime/sized.hpp"

namespace fastvideo::host {
namespace {

uint32_t state_of(ItemState state) {
  switch (state) {
    case ItemState::offered:
      return FVR_OFFERED;
    case ItemState::shadowed:
      return FVR_SHADOWED;
    case ItemState::refused:
      return FVR_UNUSABLE;
    case ItemState::unknown_kind:
      return FVR_UNKNOWN_KIND;
    case ItemState::disabled:
      return FVR_DISABLED;
  }
  return FVR_UNUSABLE;
}

fvr_item listed(const CatalogItem& one, Texts& texts) {
  fvr_item item{};
  item.state = state_of(one.state);
  item.kind = texts.keep(one.item->kind);
  item.name = texts.keep(one.item->name);
  item.implementation = texts.keep(one.item->implementation);
  item.summary = texts.keep(one.item->summary);
  item.reason = texts.keep(one.reason);
  item.plugin = texts.keep(one.plugin->manifest.id);
  item.version = texts.keep(one.plugin->manifest.version);
  item.library = texts.keep(one.item->library.string());
  item.origin = texts.keep(one.plugin->origin);
  return item;
}

}  // namespace

void list_items(Runtime& runtime) {
  for (const CatalogItem& one : runtime.catalog.items()) runtime.items.push_back(listed(one, runtime.texts));
  for (const std::string& warning : runtime.catalog.warnings()) runtime.warnings.push_back(runtime.texts.keep(warning));
  for (const RefusedFolder& folder : runtime.catalog.refused())
    runtime.warnings.push_back(runtime.texts.keep(folder.folder.string() + " is refused: " + folder.reason));
}

}  // namespace fastvideo::host

using namespace fastvideo::host;  // NOLINT(google-build-using-namespace)

uint32_t fvr_runtime_item_count(const fvr_runtime* runtime) {
  return runtime != nullptr ? static_cast<uint32_t>(runtime->runtime->items.size()) : 0;
}

fvr_status fvr_runtime_item(const fvr_runtime* runtime, uint32_t index, fvr_item* item, fvr_error* error) {
  return guarded(
      error, [&] { write_sized(entry(required(runtime, "runtime").runtime->items, index, "item"), item, "fvr_item"); });
}

uint32_t fvr_runtime_warning_count(const fvr_runtime* runtime) {
  return runtime != nullptr ? static_cast<uint32_t>(runtime->runtime->warnings.size()) : 0;
}

const char* fvr_runtime_warning(const fvr_runtime* runtime, uint32_t index) {
  return index < fvr_runtime_warning_count(runtime) ? runtime->runtime->warnings[index] : nullptr;
}
