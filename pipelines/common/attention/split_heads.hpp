// Attention in parts of its heads: the basis for several devices that share a model's heads.
#pragma once

#include "pipelines/common/attention/planned_site.hpp"

namespace fastvideo {

/// The site with one of `parts` equal parts of its heads. Throws std::invalid_argument if they cannot be divided.
AttentionSite head_part(const AttentionSite& site, int64_t parts);

/// Hands each call on as `parts` calls of a part of the heads each, at head_part of its site, one after the other;
/// heads do not see each other, so the result is that of one call. The inner attention is borrowed.
class SplitHeads final : public Attention {
 public:
  SplitHeads(Attention& inner, int64_t parts) : inner_(inner), parts_(parts) {}
  at::Tensor run(const AttentionCall& call) override;

 private:
  Attention& inner_;
  int64_t parts_;
};

}  // namespace fastvideo
