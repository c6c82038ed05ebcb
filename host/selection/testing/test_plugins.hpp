// The test plugins, found and opened as the program does it.
#pragma once

#include <fastvideo/attention.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/config/test_files.hpp"
#include "host/plugins/catalog.hpp"
#include "host/plugins/limits.hpp"
#include "host/plugins/loader.hpp"
#include "host/selection/attention_selector.hpp"

namespace fastvideo::host::test {

/// A setting as the command line gives it.
inline Given flag(std::string path, std::string text) {
  return {std::move(path), std::move(text), Source::command_line("--flag"), true};
}
/// One of a TOML file.
inline Given in_file(std::string path, Value value) {
  return {std::move(path), std::move(value), {Source::Kind::file, "test.toml", 3, 1}, false};
}
/// One of a variable.
inline Given variable(std::string path, std::string text) {
  return {std::move(path), std::move(text), Source::environment("VARIABLE"), true};
}

/// A small site of a role on the CPU; the video roles have a grid of 2 x 3 x 4 tokens.
inline fv_attention_site site(const char* role, int64_t tokens = 24) {
  fv_attention_site made{};
  made.struct_size = sizeof made;
  made.role = role;
  made.device = {FV_DEVICE_CPU, 0};
  made.dtype = {FV_FLOAT, 32, 1};
  made.head_size = 4;
  made.query_heads = made.kv_heads = made.total_heads = 1;
  made.layers = 2;
  made.batch = 1;
  made.query_length = made.key_length = tokens;
  made.scale = 0.5;
  const std::string_view name = role;
  if (name == FV_ROLE_DIT_SELF || name == FV_ROLE_DIT_JOINT) {
    made.grid[0] = 2;
    made.grid[1] = 3;
    made.grid[2] = 4;
  }
  return made;
}

/// No service at all: a host for plugins that need none.
inline const fv_services* no_services() {
  static const fv_services services = {sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "0.0.0",
                                       [](const fv_services*, const char*) -> const void* { return nullptr; }};
  return &services;
}

/// The test plugins under the settings that were given, in rising order of rank.
struct TestPlugins {
  explicit TestPlugins(const std::vector<Given>& given = {}, const std::string& folder = FASTVIDEO_TEST_PLUGINS)
      : schema(Schema::host()), catalog(Catalog::discover({{folder, "test", true}})) {
    add_options(schema, catalog);
    settings = resolve(schema, given, Unknown::refuse);
    selector = std::make_unique<AttentionSelector>(settings, catalog, backends, self_tests, DeviceFacts{});
  }

  Schema schema;
  Catalog catalog;
  Settings settings;
  Loader loader{{}, no_services(), false};
  OpenBackends backends{loader, no_services()};
  SelfTests self_tests{DeviceFacts{}};
  std::unique_ptr<AttentionSelector> selector;
};

/// What body throws as an E; empty if it throws nothing.
template <class E, class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const E& e) {
    return e.what();
  }
  return {};
}

}  // namespace fastvideo::host::test
