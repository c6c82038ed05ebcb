// The program's plugins and settings, and what LibTorch's allocator holds at most in each stage of a run.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "host/config/installation.hpp"
#include "host/run/run.hpp"

namespace fastvideo::host {

using SettingTexts = std::map<std::string, std::string>;

/// The most that is allocated in each stage. peak: bytes since begin() was called.
class StagePeaks final : public RunObserver {
 public:
  StagePeaks(std::function<uint64_t()> peak, std::function<void()> begin)
      : peak_(std::move(peak)), begin_(std::move(begin)) {}
  void stage(std::string_view name, int64_t) override {
    note();
    stage_ = name;
  }
  void step(int64_t) override {}
  void loaded(uint64_t, uint64_t) override {}
  void end(bool) override { note(); }
  const std::map<std::string, uint64_t>& peaks() const { return peaks_; }

 private:
  void note() {
    if (!stage_.empty()) peaks_[stage_] = std::max(peaks_[stage_], peak_());
    begin_();
  }
  std::function<uint64_t()> peak_;
  std::function<void()> begin_;
  std::string stage_;
  std::map<std::string, uint64_t> peaks_;
};

// Plugins may use them until the process ends.
inline const HostServices& services_of_test(const Settings& settings) {
  static const auto& services = *new HostServices(settings, static_cast<int>(settings.integer("run.threads")));
  return services;
}

inline fv_pipeline_sink nowhere() {
  fv_pipeline_sink sink{};
  sink.struct_size = sizeof sink;
  sink.accept = [](void*, const fv_pipeline_output*, fv_text*) -> fv_status { return FV_OK; };
  return sink;
}

// The program's plugins and settings.
class Installed {
 public:
  /// library: lib/fastvideo of an installation or a build.
  explicit Installed(const std::string& library)
      : schema_(Schema::host()),
        catalog_(Catalog::discover(std::vector<SearchFolder>{{library + "/plugins", "test", true}})),
        given_(read_config_files({library + "/install.toml"})) {
    add_options(schema_, catalog_);
  }
  Settings settings(const SettingTexts& wanted) const {
    std::vector<Given> given = given_;
    for (const auto& [path, text] : wanted) given.push_back({path, text, Source::command_line("--" + path), true});
    return resolve(schema_, given, Unknown::refuse);
  }
  const Catalog& catalog() const { return catalog_; }

 private:
  Schema schema_;
  Catalog catalog_;
  std::vector<Given> given_;
};

}  // namespace fastvideo::host
