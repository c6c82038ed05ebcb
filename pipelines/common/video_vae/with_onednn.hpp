// For tests: LibTorch with oneDNN or without.
#pragma once

#include <ATen/Context.h>

namespace fastvideo {

/// Switches oneDNN on or off during the object's life; afterwards it is on.
class WithOneDnn {
 public:
  explicit WithOneDnn(bool enabled) { at::globalContext().setUserEnabledMkldnn(enabled); }
  ~WithOneDnn() { at::globalContext().setUserEnabledMkldnn(true); }
  WithOneDnn(const WithOneDnn&) = delete;
  WithOneDnn& operator=(const WithOneDnn&) = delete;
};

}  // namespace fastvideo
