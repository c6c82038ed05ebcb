// Exports more than the entry.
#include <fastvideo/abi.h>

extern "C" __attribute__((visibility("default"))) int helper_that_clashes() { return 1; }
extern "C" const fv_plugin* fastvideo_plugin(const fv_services*, fv_text*) { return nullptr; }
