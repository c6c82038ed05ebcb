// One component of a loaded model: loaded at its first use and then kept until it is released.
#pragma once

#include <memory>
#include <utility>

#include "pipelines/common/diffusers_folder/component_weights.hpp"
#include "pipelines/common/residency/loading.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo {

/// A model and its weights, or nothing while the component is not loaded. Owns both. One thread at a time.
template <class Model>
class Component {
 public:
  /// stage: the name of the loading stage ("load transformer").
  explicit Component(const char* stage) : stage_(stage) {}

  /// The model; made by make(Weights&) -> Model, as a stage, if it is not loaded. Valid until release or drop. Throws
  /// Refused for weights that do not fit, Cancelled while weights are read; then nothing is loaded.
  template <class Make>
  Model& get(const ComponentWeights& from, const Progress& progress, const Make& make) {
    if (loaded_ == nullptr) {
      LoadWatch watch = begin_loading(progress, stage_);
      loaded_ = std::make_unique<Loaded>(Weights::open(from.folder, from.files, std::move(watch)), make);
    }
    return loaded_->model;
  }

  /// Call after the model was used: throws std::runtime_error if a file of its weights has changed meanwhile. Frees the
  /// model unless keep is set.
  void release(bool keep) {
    if (loaded_ == nullptr) return;
    loaded_->weights.require_unchanged();
    if (!keep) loaded_.reset();
  }
  void drop() { loaded_.reset(); }
  bool is_loaded() const { return loaded_ != nullptr; }

 private:
  struct Loaded {
    template <class Make>
    Loaded(Weights from, const Make& make) : weights(std::move(from)), model(make(weights)) {}
    Weights weights;
    Model model;
  };

  const char* stage_;
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace fastvideo
