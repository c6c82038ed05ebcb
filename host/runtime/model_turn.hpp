// One call at a time runs on a model.
#pragma once

#include <string>

#include "host/runtime/handles.hpp"

namespace fastvideo::host {

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

}  // namespace fastvideo::host
