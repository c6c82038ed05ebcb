/* What the C tests of libfastvideo share: settings in short, a video kept in memory, and checks that say what was
 * wrong. */
#ifndef FASTVIDEO_TESTS_RUNTIME_C_EMBEDDER_H_
#define FASTVIDEO_TESTS_RUNTIME_C_EMBEDDER_H_

#include <fastvideo/runtime.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the test, with the error of the last call, where `is_true` is not. */
#define REQUIRE(is_true)                                                                                 \
  do {                                                                                                   \
    if (!(is_true)) {                                                                                    \
      fprintf(stderr, "%s:%d: not so: %s\n  the last error: %d [%s] %s\n", __FILE__, __LINE__, #is_true, \
              (int)last_error.status, last_error.setting, last_error.text);                              \
      exit(1);                                                                                           \
    }                                                                                                    \
  } while (0)
#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* The error that all calls of a test fill; of the main thread. */
extern fvr_error last_error;

/* A setting as text. */
fvr_setting set(const char* path, const char* text);

/* Whether the last call was refused about `setting`, in words that have `part`. */
bool was_refused(const char* setting, const char* part);

/* A video in memory. */
typedef struct video {
  fvr_video format;
  uint8_t* pixels; /* [frame_count, height, width, 3] */
  int64_t frames;  /* so far */
} video;
fvr_frames frames_into(video* to);
size_t video_bytes(const video* one);
bool are_equal(const video* a, const video* b);
void free_video(video* one);

/* Runs the request into `to`, which is empty. */
fvr_status run_into(fvr_request* request, video* to, fvr_cancel* cancel);
/* Reads the frames of a .y4m file of 4:4:4 pictures with 8 bits, as YUV. */
uint8_t* read_file(const char* name, size_t* bytes);

#endif
