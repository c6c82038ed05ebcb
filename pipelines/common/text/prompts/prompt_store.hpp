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

  /// Which of them a run encodes: those of later runs, too, if its encoder does not stay loaded until then.
  std::vector<std::string> to_encode(bool encoder_stays) const;
};

/// What one text encoder made of texts, on the CPU: those of the request in hand alone, so that it does not grow with
/// the number of requests. One thread at a time.
class PromptStore {
 public:
  /// The request in hand. Drops the embeddings of other texts, and all if texts are cut after another number of tokens.
  void expect(const Texts& texts, int64_t most_tokens);

  /// Those of the texts that are not encoded yet, each once, in the order of their letters.
  std::set<std::string> missing(const std::vector<std::string>& texts) const;

  /// A text's embeddings [1, tokens, width], on any device.
  using Encode = std::function<at::Tensor(const std::string& text)>;
  /// Encodes texts, as a stage with a step for each. Throws what encode throws, and Cancelled between two texts; what
  /// was encoded until then is kept.
  void encode(const std::set<std::string>& texts, const char* stage, const Progress& progress, const Encode& encode);

  /// Throws std::logic_error if the text is not encoded.
  const at::Tensor& rows(const std::string& text) const;
  /// The same on a device with zeros after them, [1, length, width].
  at::Tensor padded(const std::string& text, int64_t length, at::Device device) const;

  /// Of all that is kept.
  uint64_t bytes() const;
  void clear() { rows_.clear(); }

 private:
  int64_t most_tokens_ = 0;
  std::map<std::string, at::Tensor> rows_;
};

}  // namespace fastvideo
