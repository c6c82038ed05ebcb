// An item that measures its own data, open for `fastvideo calibrate`.
#pragma once

#include <fastvideo/calibration.h>

#include <string>

#include "host/config/settings.hpp"
#include "host/plugins/loader.hpp"

namespace fastvideo::host {

/// A calibration that has been created. [one thread: the loader's]
class OpenCalibration {
 public:
  /// Opens the item and creates its calibration with the options that the settings give the item. Throws RequestError
  /// or std::runtime_error, with a message that begins with the item's name.
  OpenCalibration(Loader& loader, const Settings& settings, const fv_services* host, const CatalogItem& item);
  ~OpenCalibration();
  OpenCalibration(const OpenCalibration&) = delete;
  OpenCalibration& operator=(const OpenCalibration&) = delete;

  /// The stand-in for the item; lives as long as this object.
  StandIn stand_in() const { return {&item_, stand_in_.table, stand_in_.object}; }

  /// The data of all runs so far, as text. Throws RequestError if the runs are too few.
  std::string finish();

 private:
  const CatalogItem& item_;
  std::string name_;
  const fv_calibration_interface* table_ = nullptr;
  fv_calibration* calibration_ = nullptr;
  fv_calibration_stand_in stand_in_{};
};

}  // namespace fastvideo::host
