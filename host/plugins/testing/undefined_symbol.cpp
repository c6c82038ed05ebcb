// Calls a function that no library has, called as LibTorch's are.
#include <fastvideo/abi.h>

namespace c10 {
int from_another_version();
}

extern "C" const fv_plugin* fastvideo_plugin(const fv_services*, fv_text*) {
  static fv_plugin plugin{};
  plugin.item_count = static_cast<uint32_t>(c10::from_another_version());
  return &plugin;
}
