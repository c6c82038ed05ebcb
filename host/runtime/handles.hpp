// What stands behind the handles of runtime.h. Each keeps what it was made of.
#pragma once

#include <fastvideo/runtime.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/calls/cancel.hpp"
#include "host/config/installation.hpp"
#include "host/model/loaded_model.hpp"
#include "host/plugins/catalog.hpp"
#include "host/request/cache_schedule.hpp"
#include "host/request/checked_request.hpp"
#include "host/runtime/explanation.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {

/// Immutable once made; any thread.
struct Runtime {
  Schema schema = Schema::host();
  std::vector<Given> given;
  Catalog catalog;
  Texts texts;
  std::vector<fvr_item> items;
  std::vector<const char*> warnings;
  const HostServices* host = nullptr;  // of the process
};

/// An open model. Loading and checking take the loader's turn; running takes `is_running`.
struct Model {
  /// Opens all that needs the loader's turn. Throws as LoadedModel, or CancelledError.
  Model(std::shared_ptr<const Runtime> runtime, std::vector<Given> given, const CancelToken& cancel);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const std::shared_ptr<const Runtime> runtime;
  const std::vector<Given> given;  // of the runtime, and of the model
  std::unique_ptr<LoadedModel> loaded;
  Texts texts;
  fvr_model_info info{};
  std::atomic<bool> is_running{false};
};

/// A checked request, and what there is to say of it.
struct Request {
  Request(std::shared_ptr<Model> model, const std::vector<Given>& given);
  ~Request();
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  const std::shared_ptr<Model> model;
  std::unique_ptr<CheckedRequest> checked;
  std::unique_ptr<const Explanation> explanation;
  std::optional<CacheSchedule> schedule;  // once it has been asked for, in the model's turn
};

/// While it lives, the model runs for this call and for no other. Throws BusyError if it runs for another.
class ModelTurn {
 public:
  explicit ModelTurn(Model& model) : model_(model) {
    if (model_.is_running.exchange(true))
      throw BusyError("the model " + std::string(model_.info.name) +
                      " is running another request: run this one when that has ended, or load the model once more");
  }
  ~ModelTurn() { model_.is_running.store(false); }
  ModelTurn(const ModelTurn&) = delete;
  ModelTurn& operator=(const ModelTurn&) = delete;

 private:
  Model& model_;
};

/// The entry `index` of a list, or InvalidCall.
template <class T>
const T& entry(const std::vector<T>& list, uint32_t index, const char* what) {
  if (index < list.size()) return list[index];
  throw InvalidCall("there is no " + std::string(what) + " " + std::to_string(index) + ": there are " +
                    std::to_string(list.size()));
}

}  // namespace fastvideo::host

struct fvr_runtime {
  std::shared_ptr<const fastvideo::host::Runtime> runtime;
};
struct fvr_model {
  std::shared_ptr<fastvideo::host::Model> model;
};
struct fvr_request {
  std::shared_ptr<fastvideo::host::Request> request;
};
struct fvr_cancel {
  fastvideo::host::CancelToken token;
};
