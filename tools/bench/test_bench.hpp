// For tests: a bench of the test plugins, whose pipeline makes grey frames and fails on demand.
#pragma once

#include "host/config/test_files.hpp"
#include "host/plugins/catalog.hpp"
#include "host/selection/testing/test_plugins.hpp"
#include "tools/bench/attention_bench.hpp"

namespace fastvideo::host::test {

/// The settings of a small request, and the other settings that `bench` needs.
class TestBench {
 public:
  TestBench() : schema_(Schema::host()), catalog_(Catalog::discover({{FASTVIDEO_TEST_PLUGINS, "test", true}})) {
    add_options(schema_, catalog_);
    folder_.write("model/model_index.json", R"({"_class_name": "FakePipeline"})");
    given_ = {flag("request.model_path", (folder_.path() / "model").string()),
              in_file("attention.default", "FORMULA"),
              in_file("run.device", "cpu"),
              in_file("request.height", 16),
              in_file("request.width", 16),
              flag("request.prompt", "a red circle")};
  }

  /// The settings that all runs share, with more on top.
  Settings resolve(const std::vector<Given>& more = {}) const {
    std::vector<Given> all = given_;
    all.insert(all.end(), more.begin(), more.end());
    return fastvideo::host::resolve(schema_, all, Unknown::refuse);
  }
  BenchPlan plan(const BenchFlags& flags) const { return bench_plan(flags, resolve(), catalog_); }
  BenchResult run(const BenchFlags& flags, bool keep_clips = false) const {
    return run_bench(plan(flags), with(), catalog_, host(), keep_clips, cancel_);
  }
  BenchReport command(const BenchFlags& flags) const { return bench(flags, with(), catalog_, host(), cancel_); }

  BenchReport attention(const AttentionBenchFlags& flags) const {
    return bench_attention(flags, with(), catalog_, host(), cancel_);
  }

  /// Sets a value that outranks earlier values.
  void give(Given given) { given_.push_back(std::move(given)); }
  void take_back(const std::string& path) {
    std::erase_if(given_, [&](const Given& one) { return one.path == path; });
  }
  std::string write(const std::string& name, std::string_view text) const { return folder_.write(name, text).string(); }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  CancelToken& cancel() { return cancel_; }
  const Catalog& catalog() const { return catalog_; }

 private:
  ResolveSettings with() const {
    return [this](const std::vector<Given>& more) { return resolve(more); };
  }
  // Plugins keep pointers to the services: one object per process.
  const HostServices& host() const {
    static const HostServices& services = *new HostServices(resolve(), 1);
    return services;
  }

  TemporaryFolder folder_;
  Schema schema_;
  Catalog catalog_;
  std::vector<Given> given_;
  mutable CancelToken cancel_;
};

}  // namespace fastvideo::host::test
