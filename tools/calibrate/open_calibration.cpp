#include "tools/calibrate/open_calibration.hpp"

#include "host/plugins/plugin_code.hpp"
#include "host/selection/border.hpp"
#include "host/selection/item_values.hpp"

namespace fastvideo::host {
namespace {

constexpr uint64_t kMostBytes = 16u << 20;  // the limit of a data file

// Collects the text that finish writes. A refused write stays a failure, whatever finish returns.
struct TextWriter {
  std::string text;
  std::string fault;
  fv_calibration_writer abi{};

  TextWriter() {
    abi.struct_size = sizeof abi;
    abi.context = this;
    abi.write = [](void* context, const char* bytes, uint64_t count) -> fv_status {
      auto& self = *static_cast<TextWriter*>(context);
      return guard(nullptr, [&] {
        if (self.fault.empty() && bytes == nullptr && count > 0)
          self.fault = "the calibration writes " + std::to_string(count) + " bytes that are NULL";
        if (self.fault.empty() && count > kMostBytes - self.text.size())
          self.fault = "the calibration writes more than the " + std::to_string(kMostBytes >> 20) +
                       " MiB that a data file may have";
        if (!self.fault.empty()) throw std::length_error(self.fault);
        self.text.append(bytes, count);
      });
    };
  }
};

// Complete. Throws RequestError if the item's code offers none.
const fv_calibration_interface* calibration_table(const fv_item* code, const Item& item) {
  using Table = fv_calibration_interface;
  return static_cast<const Table*>(further_table(code, item, FV_CALIBRATION_INTERFACE, sizeof(Table),
                                                 {{"create", offsetof(Table, create)},
                                                  {"destroy", offsetof(Table, destroy)},
                                                  {"stand_in", offsetof(Table, stand_in)},
                                                  {"finish", offsetof(Table, finish)}},
                                                 /*is_required=*/true));
}

}  // namespace

OpenCalibration::OpenCalibration(Loader& loader, const Settings& settings, const fv_services* host,
                                 const CatalogItem& item)
    : item_(item), name_(item.item->full_name()) {
  const Value::Table values = item_values(settings, *item.item);
  table_ = calibration_table(loader.load(item).code, *item.item);
  calibration_ = created<fv_calibration>(*table_, host, values, name_, "calibration");
  try {
    stand_in_.struct_size = sizeof stand_in_;
    call_or_throw(call_name("stand_in", name_), name_,
                  [&](fv_text* error) { return table_->stand_in(calibration_, &stand_in_, error); });
    if (stand_in_.object == nullptr) throw std::runtime_error(name_ + ": the calibration gave no stand-in");
    check_kind_table(stand_in_.table, *item.item, name_ + " (calibration)");
  } catch (...) {
    released(call_name("destroy", name_), [&] { table_->destroy(calibration_); });
    throw;
  }
}

OpenCalibration::~OpenCalibration() {
  released(call_name("destroy", name_), [&] { table_->destroy(calibration_); });
}

std::string OpenCalibration::finish() {
  TextWriter writer;
  TextBuffer text;
  const fv_status status = called(call_name("finish", name_), text.get(),
                                  [&] { return table_->finish(calibration_, &writer.abi, text.get()); });
  if (!writer.fault.empty()) throw std::runtime_error(name_ + ": " + writer.fault);
  require_ok(status, text, name_);
  if (writer.text.empty()) throw std::runtime_error(name_ + ": the calibration wrote no data");
  return std::move(writer.text);
}

}  // namespace fastvideo::host
