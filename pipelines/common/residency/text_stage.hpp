// The first stage of a run: texts to embeddings, with an encoder that need not stay loaded for it.
#pragma once

#include <string>

#include "pipelines/common/residency/component.hpp"
#include "pipelines/common/residency/residency.hpp"
#include "pipelines/common/text/prompts/prompt_store.hpp"

namespace fastvideo {

/// One text encoder with what it made of the texts of the request in hand. One thread at a time.
template <class Encoder>
class TextStage {
 public:
  /// What loading and encoding are called: "load text encoder", "encode text".
  TextStage(const char* load, const char* encode) : encoder_(load), name_(encode) {}

  /// As PromptStore::expect.
  void expect(const Texts& texts, int64_t most_tokens) { store_.expect(texts, most_tokens); }

  /// Encodes the texts that are new. The encoder is loaded, by make(Weights&), if there are any; unless the residency
  /// keeps it, it reads the texts of later runs too and is let go. encode(Encoder&, text) -> [1, tokens, width].
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

  /// After a run that ended before its time: the encoder goes unless it is kept.
  void abandon(const Residency& residency) {
    if (!residency.keeps_text_encoder()) encoder_.drop();
  }

  const PromptStore& store() const { return store_; }
  /// Texts are encoded anew from here on.
  void forget_texts() { store_.clear(); }
  /// Encoder and texts.
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
