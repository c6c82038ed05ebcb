// What the host offers every plugin: log, CPU threads, configuration, world.
#pragma once

#include <fastvideo/abi.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "host/config/settings.hpp"
#include "host/config/value.hpp"
#include "host/services/parallel.hpp"

namespace fastvideo::host {

/// The services of the process. Plugins keep pointers into it and are never unloaded, so a program makes one and never
/// destroys it. The services may be used from any thread.
class HostServices {
 public:
  /// `threads`: 0 = as many CPUs as this process may use.
  HostServices(const Settings& settings, int threads);
  /// With the CPU threads of other services: a process has one pool, and may have several configurations.
  HostServices(const Settings& settings, std::shared_ptr<Parallel> parallel);
  /// Those of the process: made at the first call, with the settings and their `run.threads`, and never destroyed.
  /// Throws RequestError if so many threads cannot be started.
  static const HostServices& of_process(const Settings& settings);
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;

  const fv_services* get() const { return &handle_.abi; }

  /// The service of an id, nullptr if the host has none of it.
  const void* find(std::string_view id) const;

 private:
  // fv_services has no context: this object is found through the address of its table.
  struct Handle {
    fv_services abi;
    const HostServices* self;
  };
  const fv_value* configured(const char* path) const;

  std::shared_ptr<Parallel> parallel_;
  AbiValues values_;
  std::map<std::string, const fv_value*, std::less<>> by_path_;
  fv_log_service log_{};
  fv_configuration_service configuration_{};
  fv_world_service world_{};
  Handle handle_{};
};

/// The version of this host, "0.1.0".
std::string_view host_version();

}  // namespace fastvideo::host
