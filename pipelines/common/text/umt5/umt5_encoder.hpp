// The encoder of UMT5 (Chung et al. 2023, arXiv 2304.09151): T5 1.1 with a relative position bias in every layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/layers/linear.hpp"
#include "pipelines/common/text/umt5/umt5_config.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo {

/// Immutable after construction; forward passes of one encoder may run on several threads at once if the attention
/// allows it.
class UMT5Encoder {
 public:
  /// Takes all its weights (UMT5EncoderModel's names); the token table stays on the CPU, where only the rows of a
  /// prompt are read. Throws Refused if a weight is missing, has another shape, or is left over.
  UMT5Encoder(const UMT5Config& config, Weights& weights, Placement placement);

  /// The encoder's attention site: "text.self", with the position bias and the mask as the site's bias.
  static AttentionSite site(const UMT5Config& config);

  /// The last hidden states [1, L, d_model] of one prompt of L >= 1 tokens, without padding. Throws Refused if a token
  /// is not in the vocabulary. A padded and masked batch gives the same rows: the bias knows relative positions only.
  at::Tensor encode(std::span<const int64_t> ids, Attention& attention) const;

  /// ids: int64 [B, L] on the CPU. mask: undefined, or bool [B, L] on the CPU, true at tokens; each row has a token.
  /// Returns [B, L, d_model]; rows of padding hold values without meaning.
  at::Tensor forward(const at::Tensor& ids, const at::Tensor& mask, Attention& attention) const;

 private:
  struct Layer {
    at::Tensor attention_norm;  // [d_model]
    Linear q, k, v, o;
    at::Tensor position_bias;  // [buckets, heads]
    at::Tensor feed_forward_norm;
    Linear gate, up, down;  // wi_0, wi_1, wo
  };

  at::Tensor attend(const Layer& layer, int index, const at::Tensor& x, const at::Tensor& bias,
                    Attention& attention) const;

  UMT5Config config_;
  AttentionSite site_;
  Placement placement_;
  at::Tensor token_table_;  // [vocabulary, d_model] on the CPU
  std::vector<Layer> layers_;
  at::Tensor final_norm_;
};

/// The bucket of each pair of positions, int64 [length, length] (query, key): near distances have a bucket each, far
/// distances share buckets logarithmically, all beyond max_distance the last; one half of the buckets for keys after
/// the query (Raffel et al. 2020, arXiv 1910.10683, section 2.1).
at::Tensor relative_position_buckets(int64_t length, int64_t buckets, int64_t max_distance);

}  // namespace fastvideo
