// First-block cache (the method of ParaAttention and of diffusers' FirstBlockCache): the residual of block 0 tells
// whether the other blocks' residual of the last computed step still fits.
#pragma once

#include <fastvideo/cache.hpp>
#include <string>

namespace fastvideo::first_block {

class FirstBlockCache final : public CacheStrategy {
 public:
  explicit FirstBlockCache(const Options& options);

  std::string refuses(const fv_cache_session_info& info) const override;
  std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) override;

 private:
  double threshold_;
};

}  // namespace fastvideo::first_block
