// Opening plugins: the one place where foreign code enters the process.
#pragma once

#include <fastvideo/abi.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// An item whose library is open. Cheap to copy; valid until the process ends, for libraries are never unloaded.
struct LoadedItem {
  const fv_item* code = nullptr;  ///< what the library says of it; equal to the manifest
  const void* table = nullptr;    ///< of its kind: FV_ATTENTION_INTERFACE and so on; every required function is there

  template <class Interface>
  const Interface* interface() const {
    return static_cast<const Interface*>(table);
  }
};

/// What serves a request in the place of an item, of a calibration: the table of the item's kind, and the object that
/// the table takes. All are borrowed.
struct StandIn {
  const CatalogItem* item = nullptr;
  const void* table = nullptr;
  void* object = nullptr;
};

/// While it lives, this thread is the loader's: functions of plugins with the tag [loader] are called by one thread at
/// a time, whichever that is. One thread may take it again.
class LoaderTurn {
 public:
  LoaderTurn();
  LoaderTurn(const LoaderTurn&) = delete;
  LoaderTurn& operator=(const LoaderTurn&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

/// "2.11" of the LibTorch whose lib/ folder this is. Throws RequestError if its version is not to be found.
std::string installed_torch_version(const std::filesystem::path& lib);

/// Opens the libraries of plugins, each when it is first asked for. [one thread: the loader's]
class Loader {
 public:
  /// `library_path`: [libraries] path, absolute folders. `host`: the services that plugins get; lives for ever.
  /// `cuda`: the run uses CUDA, so LibTorch's CUDA library is opened before the first plugin that needs LibTorch.
  Loader(std::vector<std::filesystem::path> library_path, const fv_services* host, bool cuda);

  /// The item, opened and compared with its manifest. What the library needs is opened first, by full path; a library
  /// that is already open is used as it is. Throws RequestError: what, the number, what to do.
  LoadedItem load(const CatalogItem& item);

  /// The files in use so far, in the order in which they were asked for: needed libraries and plugins.
  const std::vector<std::filesystem::path>& opened() const { return opened_; }

 private:
  const fv_plugin* open(const Plugin& plugin, const Item& item);
  void open_torch(const Item& item);
  void open_needed(const std::string& file_name, const std::string& who);
  std::filesystem::path needed_file(const std::string& name, const std::string& who) const;

  std::vector<std::filesystem::path> library_path_;
  const fv_services* host_;
  bool cuda_;
  std::string torch_version_;  ///< major.minor of the LibTorch that is open; empty before
  std::map<std::filesystem::path, const fv_plugin*> plugins_;
  std::vector<std::filesystem::path> opened_;
};

}  // namespace fastvideo::host
