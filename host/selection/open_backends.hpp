// Attention backends that are open: each item once for all requests that give it the same options.
#pragma once

#include <fastvideo/attention.h>

#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "host/config/settings.hpp"
#include "host/plugins/loader.hpp"

namespace fastvideo::host {

/// A backend that has been created. Destroyed with its OpenBackends.
struct OpenBackend {
  std::string name;  ///< "TORCH_SDPA/torch"
  const fv_attention_interface* table = nullptr;
  fv_attention* backend = nullptr;
  bool is_stand_in = false;  ///< of a calibration, which counts every call
};

/// [one thread: the loader's]
class OpenBackends {
 public:
  /// All are borrowed and must outlive this object.
  OpenBackends(Loader& loader, const fv_services* host) : loader_(loader), host_(host) {}
  /// Destroys the backends; their plans are gone by then.
  ~OpenBackends();
  OpenBackends(const OpenBackends&) = delete;
  OpenBackends& operator=(const OpenBackends&) = delete;

  /// The item's backend with the options that the settings give it, opened at the first call. Throws RequestError or
  /// std::runtime_error, which begins with the item's name; a later call throws the same again.
  const OpenBackend& open(const CatalogItem& item, const Settings& settings);

  /// From now on the stand-in is what open gives for its item.
  void use(const StandIn& stand_in);

 private:
  struct Slot {
    OpenBackend backend;
    std::exception_ptr failure;
  };
  OpenBackend create(const CatalogItem& item, const Settings& settings);

  Loader& loader_;
  const fv_services* host_;
  std::map<std::pair<const Item*, std::string>, std::unique_ptr<Slot>> slots_;  // by item and its options as text
  std::map<const Item*, OpenBackend> stand_ins_;
};

}  // namespace fastvideo::host
