#include "host/services/host_services.hpp"

#include <algorithm>
#include <fastvideo/core.hpp>

#include "host/log/log.hpp"

namespace fastvideo::host {
namespace {

void write(void*, int32_t level, const char* source, const char* text) {
  write_log(static_cast<LogLevel>(std::min<int32_t>(level, FV_LOG_ERROR)), source != nullptr ? source : "plugin",
            text != nullptr ? text : "");
}

fv_status sum_of_one(void*, double*, uint32_t, fv_text*) { return FV_OK; }

fv_status broadcast_of_one(void*, void*, uint64_t, int32_t root, fv_text* error) {
  if (root == 0) return FV_OK;
  write_text(error, "broadcast from rank " + std::to_string(root) + " of a world of one");
  return FV_FAILED;
}

}  // namespace

std::string_view host_version() { return FASTVIDEO_VERSION; }

HostServices::HostServices(const Settings& settings, int threads)
    : HostServices(settings, std::make_shared<Parallel>(threads)) {}

HostServices::HostServices(const Settings& settings, std::shared_ptr<Parallel> parallel)
    : parallel_(std::move(parallel)) {
  for (const auto& [path, setting] : settings.all()) by_path_.emplace(path, values_.add(setting.value));

  log_ = {sizeof log_, 0, nullptr, write};
  configuration_ = {sizeof configuration_, 0, this, [](void* context, const char* path) {
                      return static_cast<const HostServices*>(context)->configured(path);
                    }};
  world_ = {sizeof world_, 0, 1, 0, nullptr, sum_of_one, broadcast_of_one};
}

const fv_value* HostServices::configured(const char* path) const {
  if (path == nullptr) return nullptr;
  const auto found = by_path_.find(std::string_view(path));
  return found != by_path_.end() ? found->second : nullptr;
}

const void* HostServices::find(std::string_view id) const {
  if (id == FV_LOG_SERVICE) return &log_;
  if (id == FV_PARALLEL_SERVICE) return parallel_->service();
  if (id == FV_CONFIGURATION_SERVICE) return &configuration_;
  if (id == FV_WORLD_SERVICE) return &world_;
  return nullptr;
}

}  // namespace fastvideo::host
