// One component of a loaded model: read when it is first asked for, and then kept until somebody releases it.
#pragma once

#include <memory>
#include <utility>

#include "pipelines/common/diffusers_folder/component_weights.hpp"
#include "pipelines/common/residency/loading.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo {

/// A model with its weights, or the place for one. Owns both. One thread at a time.
template <class Model>
class Component {
 public:
  /// stage: what its loading is called ("load transformer").
  explicit Component(const char* stage) : stage_(stage) {}

  /// The model; made by make(Weights&) -> Model, as a stage, if it is not there. Valid until release or drop. Throws
  /// Refused for weights that do not fit, Cancelled while they are read; then nothing is loaded.
  template <class Make>
  Model& get(const ComponentWeights& from, const Progress& progress, const Make& make) {
    if (loaded_ == nullptr) {
      LoadWatch watch = begin_loading(progress, stage_);
      loaded_ = std::make_unique<Loaded>(Weights::open(from.folder, from.files, std::move(watch)), make);
    }
    return loaded_->model;
  }

  /// After the model was used: throws std::runtime_error if a file of its weights has changed meanwhile. Lets it go
  /// unless it is kept.
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
