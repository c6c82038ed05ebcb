// The host's attention service for tests: computes exactly and records sites and calls.
#pragma once

#include <cstdint>
#include <fastvideo/attention.hpp>
#include <map>
#include <memory>
#include <vector>

namespace fastvideo::testing {

/// A call as it crossed the ABI.
struct ServedCall {
  int32_t layer, step, first_head;
  std::vector<int64_t> q, k, v;  ///< shapes of the tensors
  fv_dtype dtype;
  uint32_t masks;                 ///< FV_MASK_KEY_LENGTHS, _BOOLEAN and _BIAS: the masks given
  bool log_sum_exp;               ///< whether log_sum_exp was given
  std::vector<int32_t> branches;  ///< empty: none were given
};

/// A site and all its calls.
struct ServedSite {
  std::unique_ptr<AttentionSiteCopy> site;
  fv_attention_plan_info info;
  fv_attention_binding binding;
  std::vector<ServedCall> calls;
};

/// The services of a run: this service, and progress if given. One thread, one session.
class AttentionServiceForTests {
 public:
  explicit AttentionServiceForTests(const fv_progress_service* progress = nullptr);
  AttentionServiceForTests(const AttentionServiceForTests&) = delete;
  AttentionServiceForTests& operator=(const AttentionServiceForTests&) = delete;

  Host host() const { return Host(&services_.abi); }
  /// The sites in the order in which they were opened.
  const std::vector<std::unique_ptr<ServedSite>>& sites() const { return sites_; }

 private:
  struct Services {
    fv_services abi;
    const fv_attention_service* attention;
    const fv_progress_service* progress;
  };
  fv_status open(std::span<const fv_attention_site* const> sites, const fv_attention_binding** bindings);

  fv_attention_service table_{};
  Services services_{};
  std::vector<std::unique_ptr<ServedSite>> sites_;
};

}  // namespace fastvideo::testing
