// What the host offers every plugin: log, CPU threads, configuration, world.
#pragma once

#include <fastvideo/abi.h>

#include <map>
#include <memory>
#include <string>

#include "host/config/settings.hpp"
#include "host/config/value.hpp"
#include "host/services/parallel.hpp"

namespace fastvideo::host {

/// The version of this host, "0.1.0".
std::string_view host_version();

/// fv_services that Owner::find answers. The table has no context: its owner is found through its address.
template <class Owner>
struct ServicesOf {
  fv_services abi;
  const Owner* owner;

  explicit ServicesOf(const Owner& of)
      : abi{sizeof abi, FV_ABI_MAJOR, FV_ABI_MINOR, host_version().data(),
            [](const fv_services* services, const char* id) {
              return id != nullptr ? reinterpret_cast<const ServicesOf*>(services)->owner->find(id) : nullptr;
            }},
        owner(&of) {}
};

/// The services of the process. Plugins keep pointers into it and are never unloaded, so a program makes one and never
/// destroys it. The services may be used from any thread.
class HostServices {
 public:
  /// `threads`: 0 = as many CPUs as this process may use.
  HostServices(const Settings& settings, int threads);
  /// With the CPU threads of other services: a process has one pool, and may have several configurations.
  HostServices(const Settings& settings, std::shared_ptr<Parallel> parallel);
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;

  const fv_services* get() const { return &handle_.abi; }

  /// The service of an id, nullptr if the host has none of it.
  const void* find(std::string_view id) const;

 private:
  const fv_value* configured(const char* path) const;

  std::shared_ptr<Parallel> parallel_;
  AbiValues values_;
  std::map<std::string, const fv_value*, std::less<>> by_path_;
  fv_log_service log_{};
  fv_configuration_service configuration_{};
  fv_world_service world_{};
  ServicesOf<HostServices> handle_{*this};
};

}  // namespace fastvideo::host
