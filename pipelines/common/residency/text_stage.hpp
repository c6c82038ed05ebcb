// The first stage of a run: texts to embeddings, with an encoder that need not stay loaded.
#pragma once

#include <string>

#include "pipelines/common/residency/component.hpp"
#include "pipelines/common/residency/residency.hpp"
#include "pipelines/common/text/prompts/prompt_store.hpp"

namespace fastvideo {

/// One text encoder with its embeddings of the current request's texts. One thread at a time.
template <class Encoder>
class TextStage {
 public:
  /// The names of the stages of loading and encoding: "load text encoder", "encode text".
  TextStage(const char* load, const char* encode) : encoder_(load), name_(encode) {}

  /// As PromptStore::expect.
  void expect(const Texts& texts, int64_t most_tokens) { store_.expect(texts, most_tokens); }

  /// Encodes the texts that are new, if any, with the encoder loaded by make(Weights&). Unless the residency keeps the
  /// encoder, it encodes the texts of later runs too and is freed. encode(Encoder&, text) -> [1, tokens, width].
  template <class Make, class Encode>
  void run(const Texts& texts, const Residency& residency, const ComponentWeights& from, const Progress& progress,
           const Make& make, const Encode& encode) {
    const bool stays = residency.keeps_text_encoder();
    if (const auto missing = store_.missing(texts.to_encode(stays)); !missing.empty()) {
      Encoder& encoder = encoder_.get(from, progress, make);
      store_.encode(missing, name_, progress, [&](const std::string& text) { return encode(encoder, text); });
    }
    const bool was_loaded = encoder_.is_loaded();
    encoder_.release(stays);
    if (was_loaded && !stays) give_back(residency);
  }

  /// Call after a run that ended early: frees the encoder unless the residency keeps it.
  void abandon(const Residency& residency) {
    if (!residency.keeps_text_encoder()) encoder_.drop();
  }

  const PromptStore& store() const { return store_; }
  /// Drops the embeddings: texts are encoded anew from here on.
  void forget_texts() { store_.clear(); }
  /// Frees the encoder and drops the embeddings.
  void drop() {
    encoder_.drop();
    store_.clear();
  }

 private:
  Component<Encoder> encoder_;
  const char* name_;
  PromptStore store_;
};

}  // namespace fastvideo
