// EasyCache (Zhou et al. 2025, arXiv 2507.02860): how strongly the output follows the input hardly changes from step to
// step, so the input alone tells how far the kept difference of output and input has drifted.
#pragma once

#include <fastvideo/cache.hpp>
#include <string>

namespace fastvideo::easycache {

class EasyCache final : public CacheStrategy {
 public:
  explicit EasyCache(const Options& options);

  std::string refuses(const fv_cache_session_info& info) const override;
  std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) override;

 private:
  double threshold_;
  int32_t kept_first_;
};

}  // namespace fastvideo::easycache
