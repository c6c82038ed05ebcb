#include "host/plugins/loader.hpp"

#include <algorithm>
#include <fastvideo/core.hpp>

#include "host/calls/after_call.hpp"
#include "host/calls/call_note.hpp"
#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/plugins/library_file.hpp"
#include "host/plugins/loaded_libraries.hpp"
#include "host/plugins/plugin_code.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

// What to do about what the dynamic linker said.
std::string advice(const std::string& words) {
  const auto says = [&](const char* part) { return words.find(part) != std::string::npos; };
  if (says("undefined symbol: _ZN3c10") || says("undefined symbol: _ZN2at") || says("undefined symbol: _ZNK3c10") ||
      says("undefined symbol: _ZNK2at") || says("undefined symbol: _ZN5torch"))
    return "; a name of LibTorch: the plugin was built for another LibTorch, get its version for this one from its "
           "author";
  if (says("undefined symbol")) return "; link the plugin with the library that defines it";
  if (says("cannot open shared object file"))
    return "; list that library under needs.libraries in plugin.toml and its folder in [libraries] path";
  if (says("version `GLIBC") || says("version `CXXABI"))
    return "; built on a newer system than this one: get a version for this one from its author";
  return "";
}

OpenLibrary open_library(const fs::path& file) {
  const CallNote note(call_name("dlopen", file.string()));  // it runs the library's constructors
  try {
    return OpenLibrary(file);
  } catch (const std::runtime_error& e) {
    throw RequestError(file.string() + ": cannot be opened: " + e.what() + advice(e.what()));
  }
}

// Libraries look around in it while they are opened: oneMKL, in LibTorch, ends the process where it is gone.
void require_working_directory() {
  std::error_code failure;
  if (fs::current_path(failure).empty())
    throw RequestError("the working directory cannot be told (" + failure.message() +
                       "), and libraries that are opened need it: change to a folder that is there (cd /tmp)");
}

// What the code of a library has changed of the process, in its constructors or its entry, is put back.
struct StateRestored {
  StateRestored() = default;
  ~StateRestored() { after_call(); }
  StateRestored(const StateRestored&) = delete;
  StateRestored& operator=(const StateRestored&) = delete;
};

// Calls the entry and stops what it throws. A plugin built with the SDK never throws here; one with a C++ library of
// its own would end the process.
const fv_plugin* enter(fv_plugin_entry entry, const fv_services* host, const fs::path& file) {
  TextBuffer error;
  const fv_plugin* code = nullptr;
  const CallNote note(call_name("fastvideo_plugin", file.string()));
  try {
    code = entry(host, error.get());
  } catch (const std::exception& e) {
    throw RequestError(file.string() + ": its entry threw across the ABI: " + e.what() +
                       "; report this to the plugin's author");
  } catch (...) {
    throw RequestError(file.string() + ": its entry threw across the ABI; report this to the plugin's author");
  }
  if (code == nullptr) {
    const std::string said = error.str();
    throw RequestError(file.string() + ": the plugin declines: " + (said.empty() ? "it gives no reason" : said));
  }
  return code;
}

}  // namespace

LoaderTurn::LoaderTurn() {
  static auto& mutex = *new std::recursive_mutex;  // plugins are never unloaded: it is never destroyed
  lock_ = std::unique_lock(mutex);
}

// A wheel has version.py ("__version__ = '2.11.0+cu130'"), a zip
// archive build-version ("2.11.0+cpu").
std::string installed_torch_version(const fs::path& lib) {
  const fs::path root = lib.parent_path();
  for (const char* name : {"version.py", "build-version"}) {
    const fs::path file = root / name;
    if (std::error_code none; !fs::exists(file, none)) continue;
    std::string text = read_text_file(file);
    if (const size_t at = text.find("__version__"); at != std::string::npos) text.erase(0, at);
    const size_t begin = text.find_first_of("0123456789");
    const size_t dot = text.find('.', std::min(begin, text.size()));
    const size_t end = text.find_first_not_of("0123456789", dot == std::string::npos ? dot : dot + 1);
    if (begin != std::string::npos && dot != std::string::npos) return text.substr(begin, end - begin);
    throw RequestError(file.string() + ": states no version of LibTorch");
  }
  throw RequestError(root.string() + " holds neither version.py nor build-version, so the version of its LibTorch is " +
                     "unknown; point [libraries] path at the lib folder of an unchanged LibTorch");
}

Loader::Loader(std::vector<fs::path> library_path, const fv_services* host, bool cuda)
    : library_path_(std::move(library_path)), host_(host), cuda_(cuda) {}

LoadedItem Loader::load(const CatalogItem& item) {
  if (item.state != ItemState::offered) throw RequestError(item.item->full_name() + " cannot be used: " + item.reason);
  if (const std::string missing = missing_library(item); !missing.empty())
    throw RequestError(item.item->full_name() + " cannot be used: " + missing);
  require_working_directory();
  const fv_plugin* plugin = open(*item.plugin, *item.item);
  const fv_item* code = find_item_code(plugin, *item.item);
  return {code, required_table(code, *item.item)};
}

const fv_plugin* Loader::open(const Plugin& plugin, const Item& item) {
  // Two items of one library may need different things: what this one needs is opened in any case.
  check_library_file(item);
  const StateRestored restored;
  if (!item.needs.torch.empty()) open_torch(item);
  for (const std::string& needed : item.needs.libraries) open_needed(needed, item.library.string());

  const auto known = plugins_.find(item.library);
  if (known != plugins_.end()) return known->second;
  const OpenLibrary library = open_library(item.library);
  opened_.push_back(item.library);
  const fv_plugin* code = enter(library.entry(), host_, item.library);
  check_plugin_code(code, plugin.manifest, item.library);
  plugins_[item.library] = code;
  return code;
}

void Loader::open_torch(const Item& item) {
  const std::string who = item.library.string();
  const std::string& wanted = item.needs.torch;
  if (torch_version_ == wanted) return;
  if (!torch_version_.empty())
    throw RequestError(who + ": built for LibTorch " + wanted + ", this process uses " + torch_version_ +
                       "; two of them cannot share a process: get the plugin's version for " + torch_version_ +
                       " from its author");
  const fs::path folder = needed_file("libtorch_cpu.so", who).parent_path();
  const std::string version = installed_torch_version(folder);
  if (version != wanted)
    throw RequestError(
        who + ": built for LibTorch " + wanted + ", [libraries] path has " + version + " in " + folder.string() +
        "; get its version for that one from its author, or point [libraries] path at " + "LibTorch " + wanted);
  // The CUDA part registers itself with the CPU part, and only if nobody has asked for CUDA before.
  open_needed("libtorch_cpu.so", who);
  if (cuda_) open_needed("libtorch_cuda.so", who);
  torch_version_ = version;
}

void Loader::open_needed(const std::string& file_name, const std::string& who) {
  const fs::path file = needed_file(file_name, who);
  if (std::find(opened_.begin(), opened_.end(), file) != opened_.end()) return;
  // A second library of the same name would be opened beside the first, and plugins would silently get the first.
  if (const auto other = loaded_library(file_name)) {
    std::error_code code;
    if (!fs::equivalent(*other, file, code))
      throw RequestError(who + ": needs " + file.string() + ", but this process already uses " + other->string() +
                         "; take that one out of LD_LIBRARY_PATH or LD_PRELOAD, or out of [libraries] path");
  } else {
    open_library(file);
  }
  opened_.push_back(file);
}

fs::path Loader::needed_file(const std::string& name, const std::string& who) const {
  fs::path file = find_library(name, library_path_);
  if (file.empty()) throw RequestError(who + ": " + needs_library(name, library_path_));
  return file;
}

}  // namespace fastvideo::host
