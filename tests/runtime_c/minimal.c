/* minimal MODEL_FOLDER PROMPT > video.rgb: a video through libfastvideo, as raw RGB frames. */
#include <fastvideo/runtime.h>
#include <stdio.h>

static int32_t begin(void* frame_bytes, const fvr_video* video) {
  fprintf(stderr, "%lld frames of %dx%d\n", (long long)video->frame_count, video->width, video->height);
  *(size_t*)frame_bytes = (size_t)video->width * (size_t)video->height * 3;
  return 0;
}

static int32_t take(void* frame_bytes, const uint8_t* rgb, int64_t count) {
  const size_t bytes = *(size_t*)frame_bytes * (size_t)count;
  return fwrite(rgb, 1, bytes, stdout) == bytes ? 0 : 1; /* 1 ends the run */
}

static int failed(const fvr_error* error) {
  fprintf(stderr, "%s%s%s\n", error->setting, error->setting[0] != '\0' ? ": " : "", error->text);
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  char text[4096];
  fvr_error error = {.struct_size = sizeof error, .text = text, .capacity = sizeof text};

  fvr_runtime* runtime;
  if (fvr_runtime_open(NULL, &runtime, &error) != FVR_OK) return failed(&error);

  const fvr_setting folder = {.path = "request.model_path", .type = FVR_STRING, .as.text = argv[1]};
  fvr_model* model;
  if (fvr_model_load(runtime, &folder, 1, NULL, &model, &error) != FVR_OK) return failed(&error);

  const fvr_setting asked[] = {
      {.path = "request.prompt", .source = "the second argument", .type = FVR_STRING, .as.text = argv[2]},
      {.path = "request.height", .type = FVR_INT, .as.integer = 32},
      {.path = "request.width", .type = FVR_INT, .as.integer = 32},
      {.path = "request.num_frames", .type = FVR_INT, .as.integer = 5},
      {.path = "request.num_inference_steps", .type = FVR_INT, .as.integer = 4},
  };
  fvr_request* request;
  if (fvr_check(model, asked, 5, &request, &error) != FVR_OK) return failed(&error);

  size_t frame_bytes = 0;
  const fvr_frames frames = {.struct_size = sizeof frames, .context = &frame_bytes, .begin = begin, .frames = take};
  const fvr_run_options options = {.struct_size = sizeof options, .frames = &frames};
  fvr_result* result;
  if (fvr_run(request, &options, &result, &error) != FVR_OK) return failed(&error);

  fvr_result_info made = {.struct_size = sizeof made};
  fvr_result_describe(result, &made, NULL);
  fprintf(stderr, "%.1f s, seed %llu\n", made.seconds, (unsigned long long)made.seed);
  fvr_result_close(result);
  fvr_request_close(request);
  fvr_model_close(model);
  fvr_runtime_close(runtime);
  return 0;
}
