// fastvideo/calibration.hpp - an item that measures its own data, as one class beside the item's own.
//
//   FASTVIDEO_PLUGIN(fastvideo::calibrated_cache<Mine, MyCalibration>("mine", "policy"))
#pragma once

#include <cstring>
#include <memory>
#include <string>

#include "fastvideo/attention.hpp"
#include "fastvideo/cache.hpp"
#include "fastvideo/calibration.h"

namespace fastvideo {

/// Measures an item's data during runs with stand_in() in the place of the item. StandIn: CacheStrategy or
/// AttentionBackend. Constructed from (const Host&, const Options&), (const Options&) or nothing.
template <class StandIn>
class Calibration {
 public:
  using StandInType = StandIn;
  virtual ~Calibration() = default;

  /// Computes exactly and measures. The same object at every call, which lives as long as the calibration.
  virtual StandIn& stand_in() = 0;

  /// The data of all runs so far, as text. Throws Refused if the runs are too few, with the number needed.
  virtual std::string finish() = 0;
};
using CacheCalibration = Calibration<CacheStrategy>;
using AttentionCalibration = Calibration<AttentionBackend>;

namespace detail {

/// The C table of a calibration class. ItemTable: CacheTable or AttentionTable of the item's class.
template <class ItemTable, class Class>
struct CalibrationTable {
  using StandIn = typename Class::StandInType;
  using Base = Calibration<StandIn>;
  static Base& calibration(fv_calibration* c) { return *reinterpret_cast<Base*>(c); }

  static fv_status create(const fv_services* host, const fv_entry* options, uint32_t count, fv_calibration** out,
                          fv_text* error) noexcept {
    return guard(error, [&] {
      Base* made = construct<Class>(Host(host), Options(options, count));
      *out = reinterpret_cast<fv_calibration*>(made);
    });
  }
  static void destroy(fv_calibration* c) noexcept { delete &calibration(c); }
  static fv_status stand_in(fv_calibration* c, fv_calibration_stand_in* out, fv_text* error) noexcept {
    return guard(error, [&] {
      out->table = ItemTable::get_interface(kind_id(static_cast<StandIn*>(nullptr)));
      out->object = &calibration(c).stand_in();
    });
  }
  static fv_status finish(fv_calibration* c, const fv_calibration_writer* writer, fv_text* error) noexcept {
    fv_status written = FV_OK;
    const fv_status finished = guard(error, [&] {
      const std::string text = calibration(c).finish();
      written = writer->write(writer->context, text.data(), text.size());
    });
    return finished != FV_OK ? finished : written;
  }

  static const void* get_interface(const char* id) {
    static const fv_calibration_interface table = {
        sizeof(fv_calibration_interface), 0, create, destroy, stand_in, finish};
    return std::strcmp(id, FV_CALIBRATION_INTERFACE) == 0 ? &table : ItemTable::get_interface(id);
  }

 private:
  static const char* kind_id(CacheStrategy*) { return FV_CACHE_INTERFACE; }
  static const char* kind_id(AttentionBackend*) { return FV_ATTENTION_INTERFACE; }
};

}  // namespace detail

/// A caching strategy that measures its own data, for FASTVIDEO_PLUGIN.
template <class Strategy, class CalibrationClass>
fv_item calibrated_cache(const char* name, const char* implementation) {
  return detail::item("cache", name, implementation,
                      detail::CalibrationTable<detail::CacheTable<Strategy>, CalibrationClass>::get_interface);
}

/// An attention backend that measures its own data, for FASTVIDEO_PLUGIN.
template <class Backend, class CalibrationClass>
fv_item calibrated_attention(const char* name, const char* implementation) {
  return detail::item("attention", name, implementation,
                      detail::CalibrationTable<detail::AttentionTable<Backend>, CalibrationClass>::get_interface);
}

}  // namespace fastvideo
