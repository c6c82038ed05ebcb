/* Compiled as C11 and C++17: the header is valid in each, and what programs were built with does not move. */
#include <fastvideo/runtime.h>

#ifdef __cplusplus
#define LAYOUT_ASSERT static_assert
#else
#define LAYOUT_ASSERT _Static_assert
#endif
/* A struct's size when it was published, where only appending is allowed after, and the place of its last field. */
#define LAYOUT(type, bytes, last, at)                           \
  LAYOUT_ASSERT(sizeof(type) >= (bytes), #type " lost fields"); \
  LAYOUT_ASSERT(offsetof(type, last) == (at), #type "." #last " moved");

LAYOUT(fvr_error, 152, setting, 24)
LAYOUT(fvr_setting, 32, as, 24)
LAYOUT_ASSERT(sizeof(fvr_setting) == 32, "fvr_setting is frozen");
LAYOUT(fvr_runtime_config, 40, setting_count, 36)
LAYOUT(fvr_item, 80, origin, 72)
LAYOUT(fvr_model_info, 88, device_reason, 80)
LAYOUT(fvr_request_info, 88, shortage, 80)
LAYOUT(fvr_site, 136, scratch_bytes, 128)
LAYOUT(fvr_reason, 24, text, 16)
LAYOUT(fvr_parameter, 48, reason, 40)
LAYOUT(fvr_memory, 24, bytes, 16)
LAYOUT(fvr_video, 32, frame_count, 24)
LAYOUT(fvr_frames, 32, frames, 24)
LAYOUT(fvr_observer, 32, step, 24)
LAYOUT(fvr_run_options, 32, observer, 24)
LAYOUT(fvr_result_info, 104, prompt, 96)
LAYOUT(fvr_stage, 32, step_seconds, 24)
LAYOUT(fvr_attention_use, 48, calls, 40)
