/* Videos of the embedded model through libfastvideo: different requests on one loaded model have the bits that the
 * program gives each in a process of its own, loading is reported and cancelled, previews come before the video, and
 * many runs take no more memory than few. */
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/runtime_c/embedder.h"

static const char* model_folder;

static fvr_model* load(fvr_runtime** runtime) {
  const fvr_setting threads = set("run.threads", "2");
  const fvr_runtime_config config = {.struct_size = sizeof config, .settings = &threads, .setting_count = 1};
  REQUIRE(fvr_runtime_open(&config, runtime, &last_error) == FVR_OK);
  const fvr_setting settings[] = {set("request.model_path", model_folder), set("run.device", "cpu")};
  fvr_model* model = NULL;
  REQUIRE(fvr_model_load(*runtime, settings, 2, NULL, &model, &last_error) == FVR_OK);
  return model;
}

/* ---- A .y4m file, as the program writes it: BT.709, limited range, 4:4:4. */

static uint8_t to_byte(double value) { return (uint8_t)lround(value); }

static void write_y4m(const video* one, const char* name) {
  FILE* file = fopen(name, "wb");
  REQUIRE(file != NULL);
  const fvr_video* format = &one->format;
  fprintf(file, "YUV4MPEG2 W%d H%d F%d:%d Ip A1:1 C444 XCOLORRANGE=LIMITED\n", format->width, format->height,
          format->fps_numerator, format->fps_denominator);
  const size_t pixels = (size_t)format->width * (size_t)format->height;
  uint8_t* planes = malloc(3 * pixels);
  REQUIRE(planes != NULL);
  for (int64_t f = 0; f < one->frames; ++f) {
    const uint8_t* rgb = one->pixels + (size_t)f * pixels * 3;
    for (size_t i = 0; i < pixels; ++i) {
      const double red = rgb[3 * i] / 255.0, green = rgb[3 * i + 1] / 255.0, blue = rgb[3 * i + 2] / 255.0;
      const double luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      planes[i] = to_byte(16 + 219 * luma);
      planes[pixels + i] = to_byte(128 + 224 * (blue - luma) / 1.8556);
      planes[2 * pixels + i] = to_byte(128 + 224 * (red - luma) / 1.5748);
    }
    fputs("FRAME\n", file);
    fwrite(planes, 1, 3 * pixels, file);
  }
  free(planes);
  REQUIRE(fclose(file) == 0);
}

/* ---- Two requests that differ in all that may differ. */

#define REQUEST_SETTINGS 9
static const char* const kRequests[2][REQUEST_SETTINGS][2] = {{{"request.prompt", "a red circle moves right"},
                                                               {"request.height", "32"},
                                                               {"request.width", "32"},
                                                               {"request.num_frames", "5"},
                                                               {"request.num_inference_steps", "2"},
                                                               {"request.guidance_scale", "1"},
                                                               {"request.seed", "1"},
                                                               {"attention.backend", "TORCH_SDPA"},
                                                               {"request.dtype", "bfloat16"}},
                                                              {{"request.prompt", "a green square"},
                                                               {"request.height", "32"},
                                                               {"request.width", "48"},
                                                               {"request.num_frames", "9"},
                                                               {"request.num_inference_steps", "6"},
                                                               {"request.guidance_scale", "4"},
                                                               {"request.seed", "2"},
                                                               {"attention.backend", "FLASH_ATTN"},
                                                               {"cache.strategy", "teacache"}}};

/* The first `count` settings of a request. */
static fvr_request* check_first(fvr_model* model, int which, uint32_t count) {
  fvr_setting settings[REQUEST_SETTINGS];
  for (uint32_t i = 0; i < count; ++i) settings[i] = set(kRequests[which][i][0], kRequests[which][i][1]);
  fvr_request* request = NULL;
  REQUIRE(fvr_check(model, settings, count, &request, &last_error) == FVR_OK);
  return request;
}

static fvr_request* check(fvr_model* model, int which) { return check_first(model, which, REQUEST_SETTINGS); }

static void run_program(const char* program, int which, const char* output) {
  char command[4096];
  int length = snprintf(command, sizeof command,
                        "%s generate --model-path %s --device cpu --threads 2 --no-progress "
                        "--log-level ERROR --output-path %s",
                        program, model_folder, output);
  for (int i = 0; i < REQUEST_SETTINGS; ++i)
    length += snprintf(command + length, sizeof command - (size_t)length, " --set '%s=%s'", kRequests[which][i][0],
                       kRequests[which][i][1]);
  REQUIRE(system(strcat(command, " >/dev/null")) == 0);
}

static void give_the_programs_bits(const char* program) {
  char folder[] = "/tmp/fastvideo_videos_XXXXXX", theirs[64], ours[64];
  REQUIRE(mkdtemp(folder) != NULL);
  snprintf(theirs, sizeof theirs, "%s/theirs.y4m", folder);
  snprintf(ours, sizeof ours, "%s/ours.y4m", folder);
  fvr_runtime* runtime = NULL;
  fvr_model* model = load(&runtime);
  fvr_request* requests[] = {check(model, 0), check(model, 1)};
  video first[2] = {{.pixels = NULL}};
  for (int i = 0; i < 2; ++i) {
    REQUIRE(run_into(requests[i], &first[i], NULL) == FVR_OK);
    write_y4m(&first[i], ours);
    run_program(program, i, theirs);
    size_t bytes = 0, expected = 0;
    uint8_t* made = read_file(ours, &bytes);
    uint8_t* wanted = read_file(theirs, &expected);
    REQUIRE(bytes == expected && bytes > video_bytes(&first[i]) && memcmp(made, wanted, bytes) == 0);
    free(made);
    free(wanted);
  }
  for (int i = 0; i < 2; ++i) { /* again, each after the other */
    video again = {.pixels = NULL};
    REQUIRE(run_into(requests[i], &again, NULL) == FVR_OK && are_equal(&first[i], &again));
    free_video(&again);
    free_video(&first[i]);
    fvr_request_close(requests[i]);
  }
  unlink(theirs);
  unlink(ours);
  REQUIRE(rmdir(folder) == 0);
  fvr_model_close(model);
  fvr_runtime_close(runtime);
}

/* ---- Cancelled by another thread while weights are loaded. */

typedef struct watch {
  const char* stage; /* where the run is to be cancelled */
  fvr_cancel* cancel;
  pthread_mutex_t mutex;
  pthread_cond_t came;
  bool has_come;
  int stages;
} watch;

static void note_stage(void* context, const char* name, int64_t steps) {
  watch* ours = context;
  (void)steps;
  pthread_mutex_lock(&ours->mutex);
  ++ours->stages;
  if (strcmp(name, ours->stage) == 0) ours->has_come = true;
  pthread_cond_signal(&ours->came);
  while (ours->has_come && ours->cancel != NULL) pthread_cond_wait(&ours->came, &ours->mutex);
  pthread_mutex_unlock(&ours->mutex);
}

static void* cancel_there(void* argument) {
  watch* ours = argument;
  pthread_mutex_lock(&ours->mutex);
  while (!ours->has_come) pthread_cond_wait(&ours->came, &ours->mutex);
  fvr_cancel_request(ours->cancel);
  ours->cancel = NULL;
  pthread_cond_signal(&ours->came);
  pthread_mutex_unlock(&ours->mutex);
  return NULL;
}

static void stop_in(fvr_request* request, const char* stage) {
  fvr_cancel* cancel = fvr_cancel_new();
  watch ours = {.stage = stage, .cancel = cancel};
  pthread_mutex_init(&ours.mutex, NULL);
  pthread_cond_init(&ours.came, NULL);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, cancel_there, &ours) == 0);
  const fvr_observer observer = {.struct_size = sizeof observer, .context = &ours, .stage = note_stage};
  const fvr_run_options options = {.struct_size = sizeof options, .cancel = cancel, .observer = &observer};
  fvr_result* result = NULL;
  REQUIRE(fvr_run(request, &options, &result, &last_error) == FVR_CANCELLED && result == NULL);
  REQUIRE(strstr(last_error.text, "cancelled at ") == last_error.text);
  REQUIRE(pthread_join(thread, NULL) == 0);
  pthread_cond_destroy(&ours.came);
  pthread_mutex_destroy(&ours.mutex);
  fvr_cancel_free(cancel);
}

/* The bytes of each stage that loads: rising, up to all of them; the result says the same. */
typedef struct loads {
  int stages; /* that loaded */
  uint64_t done, all, sum;
} loads;

static void note_next_stage(void* context, const char* name, int64_t steps) {
  loads* ours = context;
  (void)name, (void)steps;
  REQUIRE(ours->done == ours->all);
  ours->stages += ours->all > 0;
  ours->sum += ours->all;
  ours->done = ours->all = 0;
}

static void note_loaded(void* context, uint64_t done, uint64_t all) {
  loads* ours = context;
  REQUIRE(done > ours->done && done <= all && (ours->all == 0 || ours->all == all));
  ours->done = done;
  ours->all = all;
}

static void run_and_watch_loads(fvr_request* request) {
  loads ours = {.stages = 0};
  const fvr_observer observer = {
      .struct_size = sizeof observer, .context = &ours, .stage = note_next_stage, .loaded = note_loaded};
  const fvr_run_options options = {.struct_size = sizeof options, .observer = &observer};
  fvr_result* result = NULL;
  REQUIRE(fvr_run(request, &options, &result, &last_error) == FVR_OK);
  REQUIRE(ours.stages == 3 && ours.sum > 16u << 20); /* text encoder, transformer, VAE */
  uint64_t sum = 0;
  fvr_stage stage = {.struct_size = sizeof stage};
  for (uint32_t i = 0; fvr_result_stage(result, i, &stage, NULL) == FVR_OK; ++i) sum += stage.loaded_bytes;
  REQUIRE(sum == ours.sum);
  fvr_result_close(result);
}

/* Previews, as they come, and the frames of the video behind them. */
typedef struct shown {
  int previews;
  int64_t frames; /* of the video, all of them after the previews */
} shown;

static int32_t note_preview(void* context, const fvr_picture* picture, const uint8_t* rgb) {
  shown* ours = context;
  REQUIRE(picture->struct_size == sizeof *picture && ours->frames == 0);
  REQUIRE(picture->width == 4 && picture->height == 4 && picture->frame_count == 2); /* a pixel for a latent */
  uint8_t least = 255, most = 0;
  for (int i = 0; i < 2 * 4 * 4 * 3; ++i) {
    if (rgb[i] < least) least = rgb[i];
    if (rgb[i] > most) most = rgb[i];
  }
  REQUIRE(most > least);
  ++ours->previews;
  return 0;
}

static int32_t count_frames(void* context, const uint8_t* rgb, int64_t count) {
  (void)rgb;
  ((shown*)context)->frames += count;
  return 0;
}

static void run_and_watch_previews(fvr_request* request) {
  shown ours = {.previews = 0};
  const fvr_frames frames = {.struct_size = sizeof frames,
                             .context = &ours,
                             .frames = count_frames,
                             .preview_every = 1,
                             .preview = note_preview};
  const fvr_run_options options = {.struct_size = sizeof options, .frames = &frames};
  fvr_result* result = NULL;
  REQUIRE(fvr_run(request, &options, &result, &last_error) == FVR_OK);
  REQUIRE(ours.previews == 2 && ours.frames == 5); /* of 2 steps */
  fvr_result_close(result);
}

static void are_cancelled(void) {
  fvr_runtime* runtime = NULL;
  fvr_model* model = load(&runtime);
  fvr_request* request = check(model, 0);
  run_and_watch_loads(request);
  run_and_watch_previews(request);
  stop_in(request, "load transformer");
  stop_in(request, "denoise");
  video whole = {.pixels = NULL}; /* the model is none the worse */
  REQUIRE(run_into(request, &whole, NULL) == FVR_OK && whole.frames == 5);
  free_video(&whole);
  fvr_request_close(request);
  fvr_model_close(model);
  fvr_runtime_close(runtime);
}

/* ---- Memory over many runs. */

/* Bytes of resident memory that no file stands behind. */
static double anonymous_memory(void) {
  FILE* file = fopen("/proc/self/status", "r");
  REQUIRE(file != NULL);
  char line[256];
  double kilobytes = 0;
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "RssAnon:", 8) == 0) kilobytes = strtod(line + 8, NULL);
  fclose(file);
  REQUIRE(kilobytes > 0);
  return 1024 * kilobytes;
}

/* The slope of a straight line through the points (i, values[i]), by least squares. */
static double slope(const double* values, int count) {
  double mean = 0, up = 0, down = 0;
  for (int i = 0; i < count; ++i) mean += values[i] / count;
  for (int i = 0; i < count; ++i) {
    const double x = i - (count - 1) / 2.0;
    up += x * (values[i] - mean);
    down += x * x;
  }
  return up / down;
}

static void take_no_more_memory(void) {
  enum { kWarm = 10, kRuns = 100 };
  fvr_runtime* runtime = NULL;
  fvr_model* model = load(&runtime);
  fvr_request* request = check_first(model, 0, REQUEST_SETTINGS - 1); /* float32 is the fastest on a CPU */
  double used[kRuns];
  for (int i = 0; i < kWarm + kRuns; ++i) {
    video made = {.pixels = NULL};
    REQUIRE(run_into(request, &made, NULL) == FVR_OK);
    free_video(&made);
    if (i >= kWarm) used[i - kWarm] = anonymous_memory();
  }
  const double growth = slope(used, kRuns);
  printf("%.0f bytes a run, from %.1f MiB to %.1f MiB\n", growth, used[0] / (1 << 20), used[kRuns - 1] / (1 << 20));
  REQUIRE(growth < 8192); /* the frames of a run alone have 15 KB */
  fvr_request_close(request);
  fvr_model_close(model);
  fvr_runtime_close(runtime);
}

int main(int argc, char** argv) {
  REQUIRE(argc >= 3);
  model_folder = argv[2];
  if (strcmp(argv[1], "memory") == 0)
    take_no_more_memory();
  else if (strcmp(argv[1], "cancel") == 0)
    are_cancelled();
  else
    give_the_programs_bits(argv[1]);
  return 0;
}
