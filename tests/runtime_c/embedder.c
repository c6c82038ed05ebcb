#include "tests/runtime_c/embedder.h"

#include <string.h>

static char text_of_error[16384];
fvr_error last_error = {.struct_size = sizeof last_error, .text = text_of_error, .capacity = sizeof text_of_error};

fvr_setting set(const char* path, const char* text) {
  const fvr_setting one = {.path = path, .type = FVR_TEXT, .as = {.text = text}};
  return one;
}

bool was_refused(const char* setting, const char* part) {
  return last_error.status == FVR_REFUSED && strcmp(last_error.setting, setting) == 0 &&
         strstr(last_error.text, part) != NULL;
}

static int32_t begin(void* context, const fvr_video* format) {
  video* to = context;
  to->format = *format;
  to->pixels = malloc(video_bytes(to));
  return to->pixels != NULL ? 0 : 1;
}

static int32_t take(void* context, const uint8_t* rgb, int64_t count) {
  video* to = context;
  const size_t frame = (size_t)to->format.width * (size_t)to->format.height * 3;
  memcpy(to->pixels + (size_t)to->frames * frame, rgb, (size_t)count * frame);
  to->frames += count;
  return 0;
}

fvr_frames frames_into(video* to) {
  const fvr_frames frames = {.struct_size = sizeof frames, .context = to, .begin = begin, .frames = take};
  return frames;
}

size_t video_bytes(const video* one) {
  return (size_t)one->format.frame_count * (size_t)one->format.width * (size_t)one->format.height * 3;
}

bool are_equal(const video* a, const video* b) {
  return a->frames == a->format.frame_count && b->frames == a->frames && video_bytes(a) == video_bytes(b) &&
         memcmp(a->pixels, b->pixels, video_bytes(a)) == 0;
}

void free_video(video* one) {
  free(one->pixels);
  memset(one, 0, sizeof *one);
}

fvr_status run_into(fvr_request* request, video* to, fvr_cancel* cancel) {
  const fvr_frames frames = frames_into(to);
  const fvr_run_options options = {.struct_size = sizeof options, .cancel = cancel, .frames = &frames};
  fvr_result* result = NULL;
  const fvr_status status = fvr_run(request, &options, &result, &last_error);
  fvr_result_close(result);
  return status;
}

uint8_t* read_file(const char* name, size_t* bytes) {
  FILE* file = fopen(name, "rb");
  if (file == NULL) return NULL;
  fseek(file, 0, SEEK_END);
  *bytes = (size_t)ftell(file);
  rewind(file);
  uint8_t* data = malloc(*bytes + 1);
  if (data == NULL || fread(data, 1, *bytes, file) != *bytes) exit(1);
  data[*bytes] = 0;
  fclose(file);
  return data;
}
