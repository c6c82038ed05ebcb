// A runtime: configuration sources, and the plugins that they name with their items.
#include <fastvideo/core.hpp>
#include <filesystem>
#include <mutex>

#include "host/config/paths.hpp"
#include "host/error/error.hpp"
#include "host/runtime/handles.hpp"
#include "host/runtime/process_share.hpp"
#include "host/runtime/settings.hpp"
#include "host/runtime/sized.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kSources = FVR_USER_FILE | FVR_ENVIRONMENT;

Installation installation_of(const fvr_runtime_config& config) {
  if (config.installation == nullptr) return Installation::of_this_library();
  const fs::path folder = config.installation;
  std::error_code none;
  if (!fs::is_directory(folder / "lib" / "fastvideo", none))
    throw RequestError("the installation " + folder.string() + " has no folder lib/fastvideo: give the folder that " +
                       "was installed into, or leave it out for the one of the library itself");
  return {absolute_path(folder)};
}

// The installation's file and the user's, then those that were given.
std::vector<Given> files_of(const fvr_runtime_config& config, const Installation& installation) {
  const Environment nothing = [](const char*) -> const char* { return nullptr; };
  const bool with_users = (config.sources & FVR_USER_FILE) != 0;
  std::vector<fs::path> files =
      config_files(installation, std::nullopt, with_users ? Environment(process_environment) : nothing);
  if (config.files == nullptr && config.file_count > 0)
    throw InvalidCall("there are " + std::to_string(config.file_count) + " files at NULL");
  for (uint32_t i = 0; i < config.file_count; ++i) {
    if (config.files[i] == nullptr) throw InvalidCall("file " + std::to_string(i) + " is NULL");
    files.emplace_back(config.files[i]);
  }
  return read_config_files(files);
}

std::vector<Given> given_of(const fvr_runtime_config& config, const std::vector<Given>& files,
                            const std::vector<Given>& settings, const Schema& schema) {
  std::vector<Given> given = shared_settings();
  append(given, files);
  if ((config.sources & FVR_ENVIRONMENT) != 0) append(given, read_environment(schema));
  append(given, settings);
  return given;
}

// States are counted as runtime.h counts them.
static_assert(ItemState::offered == ItemState{FVR_OFFERED} && ItemState::shadowed == ItemState{FVR_SHADOWED} &&
              ItemState::refused == ItemState{FVR_UNUSABLE} && ItemState::unknown_kind == ItemState{FVR_UNKNOWN_KIND} &&
              ItemState::disabled == ItemState{FVR_DISABLED});

fvr_item listed(const CatalogItem& one, Texts& texts) {
  fvr_item item{};
  item.state = static_cast<uint32_t>(one.state);
  item.kind = texts.keep(one.item->kind);
  item.name = texts.keep(one.item->name);
  item.implementation = texts.keep(one.item->implementation);
  item.summary = texts.keep(one.item->summary);
  item.reason = texts.keep(one.reason);
  item.plugin = texts.keep(one.plugin->manifest.id);
  item.version = texts.keep(one.plugin->manifest.version);
  item.library = texts.keep(one.item->library.string());
  item.origin = texts.keep(one.plugin->origin);
  return item;
}

// Fills items and warnings out of the catalog.
void list_items(Runtime& runtime) {
  for (const CatalogItem& one : runtime.catalog.items()) runtime.items.push_back(listed(one, runtime.texts));
  for (const std::string& warning : runtime.catalog.warnings()) runtime.warnings.push_back(runtime.texts.keep(warning));
  for (const RefusedFolder& folder : runtime.catalog.refused())
    runtime.warnings.push_back(runtime.texts.keep(folder.folder.string() + " is refused: " + folder.reason));
}

std::shared_ptr<const Runtime> open(const fvr_runtime_config& config) {
  if ((config.sources & ~kSources) != 0)
    throw InvalidCall("fvr_runtime_config: sources has unknown bits (" + std::to_string(config.sources & ~kSources) +
                      ")");
  // One at a time: what the process shares is looked up, and then joined.
  static auto& mutex = *new std::mutex;
  const std::lock_guard lock(mutex);
  const Installation installation = installation_of(config);
  const std::vector<Given> files = files_of(config, installation);
  const std::vector<Given> settings = read_settings(config.settings, config.setting_count, Scope::runtime);

  auto made = std::make_shared<Runtime>();
  const Settings first = resolve(made->schema, given_of(config, files, settings, made->schema), Unknown::keep_out);
  made->catalog = Catalog::discover(plugin_search_path(first, installation), first.strings("plugins.disable"));
  add_options(made->schema, made->catalog);
  made->given = given_of(config, files, settings, made->schema);
  made->host = &join_process(resolve(made->schema, made->given, Unknown::refuse));
  list_items(*made);
  return made;
}

}  // namespace
}  // namespace fastvideo::host

using namespace fastvideo::host;  // NOLINT(google-build-using-namespace): the functions of C stand in no namespace

const char* fvr_version(void) {
  static const std::string version(host_version());
  return version.c_str();
}

fvr_status fvr_runtime_open(const fvr_runtime_config* config, fvr_runtime** runtime, fvr_error* error) {
  return guarded(error, [&] {
    required(runtime, "runtime") = nullptr;
    auto made = std::make_unique<fvr_runtime>();
    made->runtime = open(read_sized(config, "fvr_runtime_config"));
    *runtime = made.release();
  });
}

void fvr_runtime_close(fvr_runtime* runtime) { delete runtime; }

uint32_t fvr_runtime_item_count(const fvr_runtime* runtime) {
  return runtime != nullptr ? static_cast<uint32_t>(runtime->runtime->items.size()) : 0;
}

fvr_status fvr_runtime_item(const fvr_runtime* runtime, uint32_t index, fvr_item* item, fvr_error* error) {
  return guarded(
      error, [&] { write_sized(entry(required(runtime, "runtime").runtime->items, index, "item"), item, "fvr_item"); });
}

uint32_t fvr_runtime_warning_count(const fvr_runtime* runtime) {
  return runtime != nullptr ? static_cast<uint32_t>(runtime->runtime->warnings.size()) : 0;
}

const char* fvr_runtime_warning(const fvr_runtime* runtime, uint32_t index) {
  return index < fvr_runtime_warning_count(runtime) ? runtime->runtime->warnings[index] : nullptr;
}
