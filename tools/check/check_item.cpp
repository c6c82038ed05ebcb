#include "tools/check/check_item.hpp"

#include "host/plugins/catalog.hpp"
#include "host/plugins/library_file.hpp"
#include "host/plugins/limits.hpp"
#include "host/plugins/plugin_code.hpp"
#include "host/selection/item_values.hpp"
#include "tools/check/subject.hpp"

namespace fastvideo::host::conformance {
namespace {

namespace fs = std::filesystem;

size_t threads_of_this_process() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& task : fs::directory_iterator("/proc/self/task")) ++count;
  return count;
}

const char* interface_of(const Item& item) {
  if (item.kind == "attention") return "fastvideo.attention/1";
  return item.kind == "cache" ? "fastvideo.cache/1" : "fastvideo.pipeline/1";
}

void check_interfaces(const Subject& subject) {
  const auto get = subject.loaded.code->get_interface;
  subject.report.check("unknown interfaces give NULL, the known one is the same every time", [&] {
    for (const char* id : {"fastvideo.unknown/1", "fastvideo.attention/999", "fastvideo.cache/999",
                           "fastvideo.pipeline/999", "fastvideo.attention", ""})
      require(get(id) == nullptr, "get_interface(\"" + std::string(id) + "\") is not NULL");
    require(get(interface_of(subject.item)) == subject.loaded.table, "two calls gave two tables");
  });
}

}  // namespace

const fv_services* bare_host() {
  static const fv_services services = {sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "0.0.0",
                                       [](const fv_services*, const char*) -> const void* { return nullptr; }};
  return &services;
}

size_t check_item(const fs::path& folder, size_t item, const Settings& settings, const HostServices& host,
                  int descriptor, bool for_people) {
  Schema schema = Schema::host();
  Catalog catalog = Catalog::discover({{folder, "plugins check", true}});
  add_options(schema, catalog);
  for (const RefusedFolder& refused : catalog.refused()) throw RequestError(refused.reason);
  if (item >= catalog.items().size())
    throw RequestError("--item " + std::to_string(item) + ": the plugin has " + std::to_string(catalog.items().size()) +
                       " items, counted from 0");
  const CatalogItem& listed = catalog.items().at(item);
  const Item& wanted = *listed.item;
  Reporter report(descriptor, wanted.full_name(), for_people);

  AbiValues memory;
  std::span<const fv_entry> options;
  Loader loader(library_path(settings), host.get(), /*cuda=*/false);
  LoadedItem loaded;
  const auto load = [&] {
    const size_t threads = threads_of_this_process();
    loaded = loader.load(listed);
    require(threads_of_this_process() == threads, "opening it started a thread: that belongs in create");
  };
  // A build may leave out libraries for other hardware.
  std::error_code none;
  if (const auto why_not = rule_out(wanted.limits, DeviceFacts{}); why_not && !fs::exists(wanted.library, none)) {
    report.check("library", [&] { throw Skipped(wanted.library.string() + " is not there, and it " + *why_not); });
    report.complete();
    return report.failed();
  }
  const bool is_open = report.check("options and data files", [&] {
    require(listed.state == ItemState::offered, listed.reason);
    options = memory.add(item_values(resolve(schema, {}, Unknown::keep_out), wanted));
  }) && report.check("library: a plugin by its symbols", [&] {
    const std::string missing = missing_library(listed);
    require(missing.empty(), missing);
    check_library_file(wanted);
  }) && report.check("library: opens, and its code says what the manifest says", load);
  if (is_open) {
    const Subject subject{wanted, loaded, options, host.get(), report};
    check_interfaces(subject);
    if (wanted.kind == "attention") check_attention(subject);
    if (wanted.kind == "cache") check_cache(subject);
    if (wanted.kind == "pipeline") check_pipeline(subject);
  }
  report.complete();
  return report.failed();
}

}  // namespace fastvideo::host::conformance
