// For tests: LibTorch with oneDNN or without.
#pragma once

#include <ATen/Context.h>

namespace fastvideo {

/// oneDNN is used, or not, while it lives; afterwards it is.
class WithOneDnn {
 public:
  explicit WithOneDnn(bool enabled) { at::globalContext().setUserEnabledMkldnn(enabled); }
  ~WithOneDnn() { at::globalContext().setUserEnabledMkldnn(true); }
  WithOneDnn(const WithOneDnn&) = delete;
  WithOneDnn& operator=(const WithOneDnn&) = delete;
};

}  // namespace fastvideo
