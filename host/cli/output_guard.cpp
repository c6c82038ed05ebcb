#include "host/cli/output_guard.hpp"

#include <sys/stat.h>

#include <set>
#include <vector>

#include "host/config/paths.hpp"
#include "host/error/error.hpp"
#include "host/media/target.hpp"
#include "host/model/model_folder.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

constexpr const char* kChoose = "; choose another path";

// A model has dozens of files; where there are far more, the folder holds other things too.
constexpr int kMostModelFiles = 20'000;

}  // namespace

OutputGuard::OutputGuard(const Settings& settings, const Catalog& catalog) : settings_(settings) {
  read_settings(settings);
  read_catalog(catalog);
  reads("this program", "/proc/self/exe");
}

void OutputGuard::reads(const std::string& what, const fs::path& file) {
  struct stat status = {};
  if (!file.empty() && ::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode))
    inputs_.try_emplace({status.st_dev, status.st_ino}, what);
}

void OutputGuard::read_settings(const Settings& settings) {
  const auto file_of = [&](const Source& source) {
    if (source.kind == Source::Kind::file) reads("a configuration file", source.name);
  };
  for (const auto& [path, setting] : settings.all()) {
    file_of(setting.source);
    for (const Setting::Outranked& one : setting.outranked) file_of(one.source);
    if (is_of_output(path) || setting.value.type() != FV_VALUE_STRING) continue;
    // Settings that name files have been made absolute.
    if (const std::string& text = setting.value.string(); text.starts_with('/')) reads(setting.source.describe(), text);
  }
}

void OutputGuard::read_catalog(const Catalog& catalog) {
  for (const auto& plugin : catalog.plugins()) {
    const std::string what = "the plugin " + plugin->manifest.id;
    reads(what, plugin->manifest.file);
    for (const Item& item : plugin->manifest.items) {
      reads(what, item.library);
      for (const DataFile& data : item.data) reads(what, data.file);
    }
  }
}

void OutputGuard::read_model() {
  if (std::exchange(has_model_, true)) return;
  fs::path folder;
  try {
    folder = open_model_folder(settings_).path;
  } catch (const RequestError&) {
    return;  // said where the model is opened
  }
  // Folders by what they are: a link may lead back to one, or nowhere.
  std::set<Identity> known;
  std::vector<fs::path> waiting{folder};
  for (int seen = 0; !waiting.empty() && seen < kMostModelFiles;) {
    const fs::path next = std::move(waiting.back());
    waiting.pop_back();
    for (const fs::path& entry : entries_of(next)) {
      ++seen;
      reads("the model", entry);
      struct stat status = {};
      if (::stat(entry.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
          known.emplace(status.st_dev, status.st_ino).second)
        waiting.push_back(entry);
    }
  }
}

void OutputGuard::writes(const std::string& what, const fs::path& path, const std::string& role) {
  if (path.empty()) return;
  const fs::path target = resolve_target(path);
  struct stat status = {};
  if (::stat(target.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
    read_model();
    if (const auto input = inputs_.find({status.st_dev, status.st_ino}); input != inputs_.end())
      throw RequestError(what + ": " + path.string() + " is read by this run (" + input->second +
                         ") and would be replaced" + kChoose);
  }
  if (const auto same = outputs_.find(target); same != outputs_.end())
    throw RequestError(what + ": " + path.string() + " is " + same->second + kChoose);
  if (const auto inside = around_.find(target); inside != around_.end())
    throw RequestError(inside->second + " lies in the folder " + target.string() + ", which is replaced by " + what +
                       kChoose);
  for (fs::path folder = target.parent_path(); folder.has_relative_path(); folder = folder.parent_path())
    if (const auto other = outputs_.find(folder); other != outputs_.end())
      throw RequestError(what + " lies in the folder " + folder.string() + ", which is replaced as " + other->second +
                         kChoose);
  outputs_.emplace(target, role.empty() ? "the file of " + what : role);
  for (fs::path folder = target.parent_path(); folder.has_relative_path(); folder = folder.parent_path())
    if (!around_.try_emplace(folder, what).second) break;
}

}  // namespace fastvideo::host
