// Attention for tests: LibTorch's scaled dot product attention on float32 copies of the inputs.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/common/attention/attention.hpp"

namespace fastvideo::testing {

/// Exact attention, rounded once at the end to q's dtype. Checks each call against its site, and counts the calls.
class PlainAttention final : public Attention {
 public:
  at::Tensor run(const AttentionCall& call) override;

  /// The layers of the calls, in order, by site.
  const std::map<std::string, std::vector<int64_t>>& calls() const { return calls_; }

 private:
  std::map<std::string, std::vector<int64_t>> calls_;
};

}  // namespace fastvideo::testing
