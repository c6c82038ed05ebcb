#include "host/selection/open_backends.hpp"

#include <exception>

#include "host/config/value.hpp"
#include "host/selection/item_values.hpp"

namespace fastvideo::host {

OpenBackends::~OpenBackends() {
  for (const auto& one : slots_) {
    const OpenBackend& open = one.second->backend;
    if (open.backend != nullptr) released(call_name("destroy", open.name), [&] { open.table->destroy(open.backend); });
  }
}

const OpenBackend& OpenBackends::open(const CatalogItem& item, const Settings& settings) {
  if (const auto stand_in = stand_ins_.find(item.item); stand_in != stand_ins_.end()) return stand_in->second;
  const Value given(to_table(settings.of_item(item.item->settings_prefix(), item.item->options)));
  std::unique_ptr<Slot>& slot = slots_[{item.item, given.to_toml()}];
  if (slot == nullptr) {
    slot = std::make_unique<Slot>();
    try {
      slot->backend = create(item, settings);
    } catch (...) {
      slot->failure = std::current_exception();
    }
  }
  if (slot->failure) std::rethrow_exception(slot->failure);
  return slot->backend;
}

void OpenBackends::use(const StandIn& stand_in) {
  const Item* item = stand_in.item->item;
  stand_ins_[item] = {item->full_name(), static_cast<const fv_attention_interface*>(stand_in.table),
                      static_cast<fv_attention*>(stand_in.object), /*is_stand_in=*/true};
}

OpenBackend OpenBackends::create(const CatalogItem& item, const Settings& settings) {
  OpenBackend made;
  made.name = item.item->full_name();
  const Value::Table values = item_values(settings, *item.item);
  made.table = loader_.load(item).interface<fv_attention_interface>();
  made.backend = created<fv_attention>(*made.table, host_, values, made.name, "backend");
  return made;
}

}  // namespace fastvideo::host
