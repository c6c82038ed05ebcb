// From a prompt to the embeddings that the transformer reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <fastvideo/pipeline.hpp>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/residency/text_stage.hpp"
#include "pipelines/common/text/tokenizer/tokenizer.hpp"
#include "pipelines/common/text/umt5/umt5_encoder.hpp"
#include "pipelines/wan/folder/wan_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// Text embeddings of the branches, [1, max_sequence_length, d_model] each in the model's dtype on its device. Rows
/// beyond a text's tokens are zero, and attended to, as in training.
struct EncodedPrompts {
  at::Tensor conditional;    ///< of the prompt
  at::Tensor unconditional;  ///< of the negative prompt; undefined without guidance
};

/// Whether no number in the embeddings is NaN or infinity. Waits for the device.
bool is_finite(const EncodedPrompts& prompts);

/// Encodes prompts and keeps their embeddings. One thread at a time.
class PromptEncoder {
 public:
  /// The folder is borrowed.
  explicit PromptEncoder(const WanFolder& folder) : folder_(folder) {}

  /// Opens the tokenizer, which stays open for encode, and tokenizes the texts; drops the embeddings of other texts.
  /// Throws Refused for files that are no tokenizer's, and for an id beyond the text encoder's table.
  void check(const Texts& texts, int64_t most_tokens);

  /// Loads the text encoder if a text is new; unless the residency keeps the encoder, it then encodes the prompts of
  /// later runs too and is freed. A text of more tokens than request.max_sequence_length is cut, with one warning in
  /// the log of `run`. Throws Refused for a prompt that is not UTF-8.
  EncodedPrompts encode(const Host& run, const Request& request, const Texts& texts, const Residency& residency,
                        Attention& attention, const Progress& progress);

  void abandon(const Residency& residency) { stage_.abandon(residency); }
  /// Drops all embeddings, so that texts are encoded anew.
  void forget_prompts() { stage_.forget_texts(); }

 private:
  const Tokenizer& tokenizer();
  std::vector<int64_t> ids_of(const std::string& text);

  const WanFolder& folder_;
  std::unique_ptr<Tokenizer> tokenizer_;               // null: not opened
  std::set<std::pair<std::string, int64_t>> checked_;  // last: texts, and their limits of tokens
  TextStage<UMT5Encoder> stage_{"load text encoder", "encode text"};
};

}  // namespace fastvideo::wan
