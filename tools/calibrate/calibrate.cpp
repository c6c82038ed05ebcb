#include "tools/calibrate/calibrate.hpp"

#include <algorithm>
#include <memory>
#include <set>

#include "host/cli/output_guard.hpp"
#include "host/console/text_table.hpp"
#include "host/error/error.hpp"
#include "host/log/log.hpp"
#include "host/media/no_frames.hpp"
#include "host/media/staged_output.hpp"
#include "host/request/prompts.hpp"
#include "host/run/run.hpp"
#include "tools/calibrate/open_calibration.hpp"

namespace fastvideo::host {
namespace {

// The item of that name, whose manifest promises a calibration.
const CatalogItem& calibrated_item(const Catalog& catalog, const std::string& name) {
  std::set<std::string> able;
  std::vector<const CatalogItem*> found;
  for (const char* kind : {"cache", "attention"}) {
    for (const CatalogItem* item : catalog.offered(kind))
      if (item->item->calibrated_data() != nullptr) able.insert(item->item->name);
    for (const CatalogItem* item : catalog.find(kind, name)) found.push_back(item);
  }
  std::string list;
  for (const std::string& one : able) list += (list.empty() ? "" : ", ") + one;
  const std::string those = list.empty() ? "; no installed item does" : "; those that do: " + list;
  if (found.empty())
    throw RequestError("calibrate: no installed item is called '" + name + "'" +
                       did_you_mean(name, std::vector<std::string>(able.begin(), able.end())) + those);
  const auto it = std::find_if(found.begin(), found.end(),
                               [](const CatalogItem* one) { return one->item->calibrated_data() != nullptr; });
  if (it == found.end())
    throw RequestError("calibrate: " + found.front()->item->full_name() + " measures no data of its own" + those);
  return **it;
}

std::vector<std::string> all_prompts(const CalibrateFlags& flags) {
  std::vector<std::string> prompts = flags.prompts;
  for (const std::string& prompt : prompts) require_utf8(prompt, "--prompt");
  if (!flags.prompt_file.empty())
    for (std::string& prompt : read_prompt_file(flags.prompt_file)) prompts.push_back(std::move(prompt));
  if (prompts.empty())
    throw RequestError(
        "calibrate: no prompt is given: --prompt \"what the video shows\", any number of times, or "
        "--prompt-file FILE with one a line");
  return prompts;
}

// The new file, created beside its final name before any expensive work.
std::unique_ptr<StagedFile> output_file(const CalibrateFlags& flags, const DataFile& data) {
  if (flags.output.empty()) throw RequestError("calibrate: say where the data goes: --output FILE." + data.calibrated);
  if (std::filesystem::path(flags.output).extension() != "." + data.calibrated)
    throw RequestError("--output " + flags.output + ": " + flags.item + " writes " + data.calibrated +
                       ", so the name ends in ." + data.calibrated);
  try {
    return std::make_unique<StagedFile>(resolve_target(flags.output));
  } catch (const std::exception& e) {
    throw RequestError("--output " + flags.output + ": " + e.what());
  }
}

// The calibration computes everything, so the user's settings for leaving out steps would have no effect.
void require_effect(const Settings& settings, const CatalogItem& item, const Catalog& catalog) {
  const CacheRequest cache = cache_request(settings, catalog);
  if (cache.source.kind == Source::Kind::command_line)
    throw RequestError(cache.source.describe() + " would have no effect: a calibration leaves nothing out");
  if (item.item->kind != "cache") return;
  const std::string prefix = item.item->settings_prefix() + ".";
  for (const auto& [path, setting] : settings.all())
    if (path.starts_with(prefix) && setting.source.kind == Source::Kind::command_line)
      throw RequestError(setting.source.describe() + " would have no effect: a calibration of " + item.item->name +
                         " leaves nothing out");
}

std::string usage_hint(const Item& item, const std::string& file) {
  const DataFile& data = *item.calibrated_data();
  const auto option = std::find_if(item.options.begin(), item.options.end(),
                                   [&](const OptionSpec& one) { return one.name == data.option; });
  const std::string path = item.settings_prefix() + "." + data.option;
  if (option != item.options.end() && !option->flag.empty())
    return "use it with " + option->flag + " " + file + ", or [" + item.settings_prefix() + "] " + data.option +
           " = \"...\" in a configuration file";
  return "use it with --set " + path + "=" + file;
}

// Logs corrected parameters and refuses a request that does not fit into memory.
void require_room(CheckedRequest& request) {
  if (const std::string shortage = request.memory_shortage(); !shortage.empty()) throw RequestError(shortage);
  for (const auto& correction : request.estimate().corrections)
    log_warning("calibrate", correction.parameter + ": " + correction.used + " instead of " + correction.asked + ", " +
                                 correction.why);
}

}  // namespace

std::string calibrate(const CalibrateFlags& flags, const ResolveSettings& resolve, const Catalog& catalog,
                      const HostServices& host, ProgressStyle style, const CancelToken& cancel) {
  const double began = steady_seconds();
  const CatalogItem& item = calibrated_item(catalog, flags.item);
  const std::vector<std::string> prompts = all_prompts(flags);
  const Settings base = resolve({});
  require_effect(base, item, catalog);
  const Setting* first_seed = base.find("request.seed");
  const auto settings_of = [&](size_t i) {
    const bool is_cache = item.item->kind == "cache";
    const Source source = Source::command_line("calibrate " + flags.item);
    const uint64_t seed = (first_seed != nullptr ? seed_of(first_seed->value) : 0) + i;
    std::vector<Given> given = {{"cache.strategy", is_cache ? item.item->full_name() : "none", source, false},
                                {"request.prompt", prompts[i], Source::command_line("--prompt"), false},
                                {"request.seed", seed_value(seed), source, false}};
    if (!is_cache) given.push_back({"attention.backend", item.item->full_name(), source, false});
    return resolve(given);
  };
  OutputGuard guard(base, catalog);
  guard.reads("--prompt-file", flags.prompt_file);
  guard.writes("--output", flags.output);
  const std::unique_ptr<StagedFile> output = output_file(flags, *item.item->calibrated_data());

  LoadedModel model(settings_of(0), catalog, host);
  OpenCalibration calibration(model.loader(), settings_of(0), host.get(), item);
  const StandIn stand_in = calibration.stand_in();
  for (size_t i = 0; i < prompts.size(); ++i) {
    cancel.throw_if_requested();
    CheckedRequest request(model, settings_of(i), &stand_in);
    if (i == 0) require_room(request);
    log_info("calibrate", "prompt " + std::to_string(i + 1) + " of " + std::to_string(prompts.size()));
    NoFrames frames;
    ProgressBar bar(Console::standard_error(), style);
    run(request, &bar, frames, cancel);
  }
  const std::string text = calibration.finish();
  output->append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  output->publish();
  return flags.output + ": " + item.item->name + " on " + model.folder().name + ", " + std::to_string(prompts.size()) +
         (prompts.size() == 1 ? " run, " : " runs, ") + readable_seconds(steady_seconds() - began) + "\n" +
         usage_hint(*item.item, flags.output) + "\n";
}

}  // namespace fastvideo::host
