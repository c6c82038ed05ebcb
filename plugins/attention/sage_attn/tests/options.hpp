// The options of SAGE_ATTN as the host hands them over, and a site of a video transformer.
#pragma once

#include <fastvideo/attention.h>

#include <fastvideo/tensor_view.hpp>
#include <vector>

#include "plugins/attention/common/tests/site.hpp"

namespace fastvideo::sage {

struct TestOptions {
  const char* qk = "int8";
  const char* pv = "fp8";
  const char* granularity = "thread";
  bool smooth_k = true;
  bool smooth_q = false;
  const char* layers = "";
  const char* steps = "";

  std::vector<fv_entry> entries() const {
    const auto text = [](const char* name, const char* value) {
      fv_entry entry{};
      entry.name = name;
      entry.value.type = FV_VALUE_STRING;
      entry.value.as.string = value;
      return entry;
    };
    const auto flag = [](const char* name, bool value) {
      fv_entry entry{};
      entry.name = name;
      entry.value.type = FV_VALUE_BOOL;
      entry.value.as.integer = value ? 1 : 0;
      return entry;
    };
    return {text("qk", qk),
            text("pv", pv),
            text("granularity", granularity),
            flag("smooth_k", smooth_k),
            flag("smooth_q", smooth_q),
            text("full_precision_layers", layers),
            text("full_precision_steps", steps)};
  }
};

inline fv_attention_site test_site(int32_t device, fv_dtype dtype, int64_t tokens, int32_t heads, int32_t size) {
  fv_attention_site site = self_site(device, dtype, tokens, heads, size);
  site.layers = 30;
  site.scale = 0.125;
  return site;
}

}  // namespace fastvideo::sage
