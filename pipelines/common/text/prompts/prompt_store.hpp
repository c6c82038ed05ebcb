// Encoded prompts between the runs that need them, so that a text encoder need not stay loaded.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <fastvideo/pipeline.hpp>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace fastvideo {

/// The texts of a run, and of the runs that will follow on the same model.
struct Texts {
  std::vector<std::string> now;    ///< the prompt, then with guidance the negative prompt
  std::vector<std::string> later;  ///< prompts

  /// The texts that a run encodes: also those of later runs if its encoder does not stay loaded until then.
  std::vector<std::string> to_encode(bool encoder_stays) const;
};

/// One text encoder's embeddings of the current request's texts, on the CPU. The store does not grow with the number of
/// requests. One thread at a time.
class PromptStore {
 public:
  /// Sets the texts of the current request. Drops the embeddings of other texts, and all if texts are cut after another
  /// number of tokens.
  void expect(const Texts& texts, int64_t most_tokens);

  /// The texts that are not encoded yet, each once, in lexicographic order.
  std::set<std::string> missing(const std::vector<std::string>& texts) const;

  /// A text's embeddings [1, tokens, width], on any device.
  using Encode = std::function<at::Tensor(const std::string& text)>;
  /// Encodes texts, as a stage with a step for each. Throws what encode throws, and Cancelled between two texts; the
  /// embeddings made until then are kept.
  void encode(const std::set<std::string>& texts, const char* stage, const Progress& progress, const Encode& encode);

  /// Throws std::logic_error if the text is not encoded.
  const at::Tensor& rows(const std::string& text) const;
  /// The embeddings of a text on a device, padded with zeros to [1, length, width].
  at::Tensor padded(const std::string& text, int64_t length, at::Device device) const;

  /// Bytes of all embeddings in the store.
  uint64_t bytes() const;
  void clear() { rows_.clear(); }

 private:
  int64_t most_tokens_ = 0;
  std::map<std::string, at::Tensor> rows_;
};

}  // namespace fastvideo
