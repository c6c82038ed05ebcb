/* libfastvideo through its header alone, with plugins that do what they are told: lists, reasons, refusals, turns. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/runtime_c/embedder.h"

static char folder[] = "/tmp/fastvideo_runtime_XXXXXX";
static char model_folder[64];
static const char* plugins;

static void make_folders(void) {
  char name[128];
  REQUIRE(mkdtemp(folder) != NULL);
  for (const char* const* part = (const char* const[]){"/lib", "/lib/fastvideo", "/model", NULL}; *part != NULL;
       ++part) {
    snprintf(name, sizeof name, "%s%s", folder, *part);
    REQUIRE(mkdir(name, 0700) == 0);
  }
  snprintf(model_folder, sizeof model_folder, "%s/model", folder);
  snprintf(name, sizeof name, "%s/model_index.json", model_folder);
  FILE* file = fopen(name, "w");
  REQUIRE(file != NULL);
  fputs("{\"_class_name\": \"FakePipeline\"}", file);
  fclose(file);
}

static void remove_folders(void) {
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", folder);
  REQUIRE(system(command) == 0);
}

/* A runtime of the test plugins, with `more` settings. */
static fvr_status open_runtime(const fvr_setting* more, uint32_t count, fvr_runtime** runtime) {
  fvr_setting settings[8] = {set("plugins.path", plugins), set("attention.default", "FORMULA")};
  for (uint32_t i = 0; i < count; ++i) settings[2 + i] = more[i];
  const fvr_runtime_config config = {
      .struct_size = sizeof config, .installation = folder, .settings = settings, .setting_count = 2 + count};
  return fvr_runtime_open(&config, runtime, &last_error);
}

static fvr_model* load(fvr_runtime* runtime) {
  const fvr_setting path = set("request.model_path", model_folder);
  fvr_model* model = NULL;
  REQUIRE(fvr_model_load(runtime, &path, 1, NULL, &model, &last_error) == FVR_OK);
  REQUIRE(last_error.length == 0 && last_error.text[0] == '\0' && last_error.setting[0] == '\0');
  return model;
}

static fvr_request* check(fvr_model* model, const fvr_setting* settings, uint32_t count) {
  fvr_request* request = NULL;
  REQUIRE(fvr_check(model, settings, count, &request, &last_error) == FVR_OK);
  return request;
}

static fvr_status refusal_of(fvr_model* model, const char* path, const char* text) {
  const fvr_setting settings[] = {set("request.prompt", "a circle"), set(path, text)};
  fvr_request* request = (fvr_request*)&last_error;
  const fvr_status status = fvr_check(model, settings, 2, &request, &last_error);
  REQUIRE(request == NULL);
  return status;
}

/* ---- What `fastvideo plugins` shows. */

static void lists_plugins(fvr_runtime* runtime) {
  bool has_fake = false, has_swift = false;
  for (uint32_t i = 0; i < fvr_runtime_item_count(runtime); ++i) {
    fvr_item item = {.struct_size = sizeof item};
    REQUIRE(fvr_runtime_item(runtime, i, &item, &last_error) == FVR_OK);
    REQUIRE(item.struct_size == sizeof item && item.summary[0] != '\0' && item.library[0] == '/');
    REQUIRE((item.reason[0] == '\0') == (item.state == FVR_OFFERED));
    has_fake = has_fake || (strcmp(item.kind, "pipeline") == 0 && strcmp(item.name, "fake") == 0 &&
                            strcmp(item.plugin, "org.fastvideo.test.pipeline") == 0);
    has_swift = has_swift || strcmp(item.name, "SWIFT") == 0;
  }
  REQUIRE(has_fake && has_swift);
  fvr_item item = {.struct_size = sizeof item};
  REQUIRE(fvr_runtime_item(runtime, fvr_runtime_item_count(runtime), &item, &last_error) == FVR_INVALID);
  REQUIRE(fvr_runtime_warning(runtime, fvr_runtime_warning_count(runtime)) == NULL);
}

/* ---- What `fastvideo explain` shows. */

static void explains(fvr_model* model) {
  fvr_model_info about = {.struct_size = sizeof about};
  REQUIRE(fvr_model_describe(model, &about, &last_error) == FVR_OK);
  REQUIRE(strcmp(about.pipeline, "fake/cpu") == 0 && strcmp(about.device, "cpu") == 0);
  REQUIRE(strcmp(about.model_class, "FakePipeline") == 0);

  const fvr_setting settings[] = {set("attention.roles.dit.self", "SWIFT"),
                                  {.path = "request.num_frames", .source = "a form", .type = FVR_INT, .as.integer = 8}};
  fvr_request* request = check(model, settings, 2);
  fvr_request_info info = {.struct_size = sizeof info};
  REQUIRE(fvr_request_describe(request, &info, &last_error) == FVR_OK);
  REQUIRE(info.prompt_count == 0 && info.seed_drawn == 1 && info.site_count == 4);
  REQUIRE(strcmp(info.strategy, "none") == 0 && info.steps == 3 && info.branches == 2);
  REQUIRE(info.peak_bytes == 4096 + 2 * 1024 + 4096 && info.available_bytes > 0 && info.shortage[0] == '\0');

  bool has_self = false;
  for (uint32_t i = 0; i < info.site_count; ++i) {
    fvr_site site = {.struct_size = sizeof site};
    REQUIRE(fvr_request_site(request, i, &site, &last_error) == FVR_OK);
    REQUIRE(site.library[0] == '/' && site.self_test_text[0] != '\0' && site.runs > 0 && site.head_size == 4);
    for (uint32_t j = 0; j < site.reason_count; ++j) {
      fvr_reason reason = {.struct_size = sizeof reason};
      REQUIRE(fvr_request_reason(request, i, j, &reason, &last_error) == FVR_OK);
      REQUIRE(reason.text[0] != '\0' && reason.kind >= FVR_PICKED && reason.kind <= FVR_NOT_TAKEN);
    }
    if (strcmp(site.role, "dit.self") != 0) continue;
    has_self = strncmp(site.backend, "SWIFT/", 6) == 0 && site.asked_scope == FVR_FOR_ROLE &&
               strcmp(site.asked_source, "attention.roles.dit.self") == 0;
  }
  REQUIRE(has_self);

  bool has_frames = false;
  for (uint32_t i = 0; i < info.parameter_count; ++i) {
    fvr_parameter parameter = {.struct_size = sizeof parameter};
    REQUIRE(fvr_request_parameter(request, i, &parameter, &last_error) == FVR_OK);
    if (strcmp(parameter.path, "request.num_frames") != 0) continue;
    has_frames = strcmp(parameter.value, "8") == 0 && strcmp(parameter.source, "a form (request.num_frames)") == 0 &&
                 strcmp(parameter.used, "5") == 0 && strstr(parameter.reason, "multiple of 4") != NULL;
  }
  REQUIRE(has_frames);

  bool has_weights = false;
  for (uint32_t i = 0; i < info.memory_count; ++i) {
    fvr_memory memory = {.struct_size = sizeof memory};
    REQUIRE(fvr_request_memory(request, i, &memory, &last_error) == FVR_OK);
    has_weights = has_weights || (memory.kind == FVR_WEIGHTS && memory.bytes == 123456789);
  }
  REQUIRE(has_weights);

  const int32_t* steps = NULL;
  uint32_t count = 0;
  REQUIRE(fvr_request_left_out(request, 0, &steps, &count, &last_error) && was_refused("cache.strategy", "is off"));

  /* Without a prompt it is explained, and not run. */
  video none = {.pixels = NULL};
  REQUIRE(run_into(request, &none, NULL) == FVR_REFUSED && was_refused("request.prompt", "no prompt is given"));
  fvr_request_close(request);
}

/* ---- Refusals and their settings. */

static void names_settings(fvr_runtime* runtime, fvr_model* model) {
  REQUIRE(refusal_of(model, "request.heigth", "8") && was_refused("request.heigth", "did you mean 'request.height'?"));
  REQUIRE(refusal_of(model, "request.height", "tall") && was_refused("request.height", "is not understood"));
  REQUIRE(refusal_of(model, "request.height", "65") && was_refused("request.height", "from 2 to 64"));
  REQUIRE(refusal_of(model, "request.behaviour", "refuses") && was_refused("request.height", "8 is possible"));
  REQUIRE(refusal_of(model, "attention.backend", "SWIFD") && was_refused("attention.backend", "did you mean 'SWIFT'?"));
  REQUIRE(refusal_of(model, "attention.roles.vae.mid", "NONE") && was_refused("attention.roles.vae.mid", "NONE"));
  REQUIRE(refusal_of(model, "cache.strategy", "nothing") && was_refused("cache.strategy", "nothing"));
  REQUIRE(refusal_of(model, "run.device", "cuda:99") && was_refused("run.device", "open another model"));
  REQUIRE(refusal_of(model, "request.prompt", "caf\xe9") && was_refused("request.prompt", "not UTF-8"));
  REQUIRE(refusal_of(model, "request.preset", "4k") && was_refused("request.preset", "no preset '4k'"));
  REQUIRE(refusal_of(model, "run.threads", "1") && was_refused("run.threads", "belongs to a runtime"));
  REQUIRE(refusal_of(model, "request.output_path", "x.mp4") && was_refused("request.output_path", "writes none"));

  const fvr_setting much[] = {set("request.prompt", "a circle"), set("request.gibibytes", "999999")};
  fvr_request* request = check(model, much, 2);
  fvr_request_info info = {.struct_size = sizeof info};
  REQUIRE(fvr_request_describe(request, &info, &last_error) == FVR_OK && strstr(info.shortage, "denoise") != NULL);
  video none = {.pixels = NULL};
  REQUIRE(run_into(request, &none, NULL) == FVR_REFUSED && was_refused("run.memory_check", "available"));
  fvr_request_close(request);

  fvr_model* no_model = NULL;
  REQUIRE(fvr_model_load(runtime, NULL, 0, NULL, &no_model, &last_error) == FVR_REFUSED);
  REQUIRE(was_refused("request.model_path", "no model is given"));
  const fvr_setting nowhere[] = {set("request.model_path", "/nowhere")};
  REQUIRE(fvr_model_load(runtime, nowhere, 1, NULL, &no_model, &last_error) == FVR_REFUSED);
  REQUIRE(was_refused("request.model_path", "/nowhere"));
}

static void keeps_to_sizes(fvr_model* model) {
  /* An error of somebody who knows its first fields, and an info of one who knows half: the rest stays as it was. */
  fvr_error small;
  memset(&small, 0x55, sizeof small);
  char text[8];
  small.struct_size = offsetof(fvr_error, length);
  small.text = text;
  small.capacity = sizeof text;
  REQUIRE(fvr_check(NULL, NULL, 0, (fvr_request*[]){NULL}, &small) == FVR_INVALID);
  REQUIRE(small.status == FVR_INVALID && strcmp(text, "model i") == 0 && small.length == 0x55555555);
  REQUIRE(fvr_check(NULL, NULL, 0, NULL, NULL) == FVR_INVALID);
  memset(text, 'x', sizeof text);
  small.struct_size = offsetof(fvr_error, text) + 4; /* half of a pointer is none */
  REQUIRE(fvr_check(NULL, NULL, 0, NULL, &small) == FVR_INVALID && small.status == FVR_INVALID && text[0] == 'x');

  fvr_model_info half;
  memset(&half, 0x55, sizeof half);
  half.struct_size = offsetof(fvr_model_info, pipeline);
  REQUIRE(fvr_model_describe(model, &half, &last_error) == FVR_OK && half.model_class[0] == 'F');
  const char* untouched;
  memset(&untouched, 0x55, sizeof untouched);
  REQUIRE(half.pipeline == untouched && half.struct_size == offsetof(fvr_model_info, pipeline));
  half.struct_size = offsetof(fvr_model_info, pipeline) + 4;
  REQUIRE(fvr_model_describe(model, &half, &last_error) == FVR_INVALID);
  REQUIRE(strstr(last_error.text, "no version of the struct has that") != NULL);
  half.struct_size = 0;
  REQUIRE(fvr_model_describe(model, &half, &last_error) == FVR_INVALID);
  REQUIRE(fvr_model_describe(model, NULL, &last_error) == FVR_INVALID);

  /* A cut message ends between characters: "é" has two bytes. */
  const fvr_setting unknown = set("request.\xc3\xa9\xc3\xa9\xc3\xa9", "1");
  fvr_request* request = NULL;
  small.struct_size = sizeof small;
  for (small.capacity = 1; small.capacity <= sizeof text; ++small.capacity) {
    REQUIRE(fvr_check(model, &unknown, 1, &request, &small) == FVR_REFUSED && small.length > sizeof text);
    REQUIRE(strlen(text) < small.capacity);
  }
  fvr_runtime* runtime = NULL;
  const fvr_runtime_config config = {.struct_size = sizeof config, .sources = 64};
  REQUIRE(fvr_runtime_open(&config, &runtime, &last_error) == FVR_INVALID && runtime == NULL);
}

/* ---- Runs. */

static void gives_results(fvr_model* model) {
  const fvr_setting settings[] = {set("request.prompt", "a circle"), set("request.seed", "18446744073709551615"),
                                  set("cache.strategy", "every_other"), set("cache.every_other.ahead", "true")};
  fvr_request* request = check(model, settings, 4);
  bool has_option = false;
  fvr_parameter parameter = {.struct_size = sizeof parameter};
  for (uint32_t i = 0; fvr_request_parameter(request, i, &parameter, NULL) == FVR_OK; ++i)
    has_option = has_option || (strcmp(parameter.path, "cache.every_other.ahead") == 0 &&
                                strcmp(parameter.value, "true") == 0 && parameter.used[0] == '\0');
  REQUIRE(has_option);
  const int32_t* planned = NULL;
  uint32_t planned_count = 0;
  REQUIRE(fvr_request_left_out(request, 2, &planned, &planned_count, &last_error) == FVR_INVALID);
  REQUIRE(fvr_request_left_out(request, 1, &planned, &planned_count, &last_error) == FVR_OK && planned_count > 0);
  const int32_t planned_first = planned[0];
  video first = {.pixels = NULL}, again = {.pixels = NULL};
  REQUIRE(run_into(request, &first, NULL) == FVR_OK);
  const fvr_frames frames = frames_into(&again);
  const fvr_run_options options = {.struct_size = sizeof options, .frames = &frames};
  fvr_result* result = NULL;
  REQUIRE(fvr_run(request, &options, &result, &last_error) == FVR_OK && are_equal(&first, &again));
  fvr_request_close(request); /* the result stays */

  fvr_result_info info = {.struct_size = sizeof info};
  REQUIRE(fvr_result_describe(result, &info, &last_error) == FVR_OK);
  REQUIRE(info.width == 12 && info.height == 8 && info.frame_count == 5 && info.fps_numerator == 16);
  REQUIRE(info.seed == UINT64_MAX && strcmp(info.prompt, "a circle") == 0 && info.peak_host_bytes > 1 << 20);
  REQUIRE(info.passes_decided > 0 && info.branch_count == 2);
  for (uint32_t i = 0; i < info.stage_count; ++i) {
    fvr_stage stage = {.struct_size = sizeof stage};
    REQUIRE(fvr_result_stage(result, i, &stage, &last_error) == FVR_OK && stage.seconds >= 0);
    if (strcmp(stage.name, "denoise") == 0) REQUIRE(stage.step_count == 3 && stage.step_seconds[2] >= 0);
  }
  uint64_t left_out = 0;
  for (uint32_t i = 0; i < info.branch_count; ++i) {
    const int32_t* steps = NULL;
    uint32_t count = 0;
    REQUIRE(fvr_result_left_out(result, i, &steps, &count, &last_error) == FVR_OK);
    left_out += count;
    REQUIRE(count == planned_count && steps[0] == planned_first);
  }
  REQUIRE(left_out == info.passes_reused);
  for (uint32_t i = 0; i < info.attention_count; ++i) {
    fvr_attention_use use = {.struct_size = sizeof use};
    REQUIRE(fvr_result_attention(result, i, &use, &last_error) == FVR_OK && use.calls > 0);
  }
  REQUIRE(info.attention_count == 4);
  fvr_result_close(result);
  free_video(&first);
  free_video(&again);
}

static int32_t refuse_frames(void* context, const uint8_t* rgb, int64_t count) {
  (void)rgb;
  *(int64_t*)context += count;
  return 7;
}

static void ends_where_frames_are_refused(fvr_model* model) {
  const fvr_setting prompt = set("request.prompt", "a circle");
  fvr_request* request = check(model, &prompt, 1);
  int64_t taken = 0;
  const fvr_frames frames = {.struct_size = sizeof frames, .context = &taken, .frames = refuse_frames};
  const fvr_run_options options = {.struct_size = sizeof options, .frames = &frames};
  fvr_result* result = NULL;
  REQUIRE(fvr_run(request, &options, &result, &last_error) == FVR_FAILED && result == NULL && taken == 1);
  REQUIRE(strstr(last_error.text, "frames gave 7") != NULL);
  fvr_frames odd = {.struct_size = offsetof(fvr_frames, preview) + 4, .preview_every = 1};
  const fvr_run_options with_odd = {.struct_size = sizeof with_odd, .frames = &odd};
  REQUIRE(fvr_run(request, &with_odd, &result, &last_error) == FVR_INVALID && result == NULL);
  odd.struct_size = sizeof odd;
  odd.preview_every = -1;
  REQUIRE(fvr_run(request, &with_odd, &result, &last_error) == FVR_INVALID && result == NULL);
  const fvr_run_options second = {.struct_size = sizeof second, .prompt = 1};
  REQUIRE(fvr_run(request, &second, &result, &last_error) == FVR_INVALID);
  fvr_request_close(request);
}

/* A run that waits until it is cancelled, in a thread of its own. */
typedef struct waiting_run {
  pthread_t thread;
  fvr_request* request;
  fvr_cancel* cancel;
  pthread_mutex_t mutex;
  pthread_cond_t began;
  bool has_begun;
  fvr_status status;
  char text[256];
} waiting_run;

static void note_stage(void* context, const char* name, int64_t steps) {
  waiting_run* run = context;
  if (strcmp(name, "wait") != 0 || steps != 1000) return;
  pthread_mutex_lock(&run->mutex);
  run->has_begun = true;
  pthread_cond_signal(&run->began);
  pthread_mutex_unlock(&run->mutex);
}

static void* wait_in_run(void* argument) {
  waiting_run* run = argument;
  fvr_error error = {.struct_size = sizeof error, .text = run->text, .capacity = sizeof run->text};
  const fvr_observer observer = {.struct_size = sizeof observer, .context = run, .stage = note_stage};
  const fvr_run_options options = {.struct_size = sizeof options, .cancel = run->cancel, .observer = &observer};
  fvr_result* result = NULL;
  run->status = fvr_run(run->request, &options, &result, &error);
  return NULL;
}

static void begin_waiting(waiting_run* run, fvr_model* model) {
  const fvr_setting settings[] = {set("request.prompt", "a circle"), set("request.behaviour", "waits")};
  run->request = check(model, settings, 2);
  run->cancel = fvr_cancel_new();
  pthread_mutex_init(&run->mutex, NULL);
  pthread_cond_init(&run->began, NULL);
  REQUIRE(pthread_create(&run->thread, NULL, wait_in_run, run) == 0);
  pthread_mutex_lock(&run->mutex);
  while (!run->has_begun) pthread_cond_wait(&run->began, &run->mutex);
  pthread_mutex_unlock(&run->mutex);
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void end_waiting(waiting_run* run) {
  const double asked = seconds_now();
  fvr_cancel_request(run->cancel);
  REQUIRE(pthread_join(run->thread, NULL) == 0 && seconds_now() - asked < 5);
  REQUIRE(run->status == FVR_CANCELLED && strcmp(run->text, "cancelled at wait 0/1000") == 0);
  fvr_request_close(run->request);
  fvr_cancel_free(run->cancel);
  pthread_cond_destroy(&run->began);
  pthread_mutex_destroy(&run->mutex);
}

static void works_beside_a_run(fvr_runtime* runtime, fvr_model* model) {
  const fvr_setting settings[] = {set("request.prompt", "a square"), set("request.seed", "5"),
                                  set("attention.backend", "SWIFT")};
  fvr_request* before = check(model, settings, 3);
  waiting_run run = {.request = NULL};
  begin_waiting(&run, model);

  char note[128];
  REQUIRE(fvr_describe_call(note, sizeof note) > 0 && strstr(note, "run of fake/cpu") != NULL);
  fvr_request* beside = check(model, settings, 3); /* on the same model */
  video one = {.pixels = NULL}, other = {.pixels = NULL};
  REQUIRE(run_into(beside, &one, NULL) == FVR_BUSY && strstr(last_error.text, "is running another request") != NULL);
  REQUIRE(run_into(run.request, &one, NULL) == FVR_BUSY);
  fvr_model* second = load(runtime); /* and a run of a second model */
  fvr_request* there = check(second, settings, 3);
  REQUIRE(run_into(there, &other, NULL) == FVR_OK);
  end_waiting(&run);
  REQUIRE(fvr_describe_call(note, sizeof note) == 0 && note[0] == '\0');

  REQUIRE(run_into(beside, &one, NULL) == FVR_OK && are_equal(&one, &other));
  free_video(&one);
  REQUIRE(run_into(before, &one, NULL) == FVR_OK && are_equal(&one, &other));
  fvr_model_close(second); /* before its request */
  fvr_request_close(there);
  fvr_request_close(before);
  fvr_request_close(beside);
  free_video(&one);
  free_video(&other);
}

static void is_cancelled_before_it_begins(fvr_runtime* runtime, fvr_model* model) {
  fvr_cancel* cancel = fvr_cancel_new();
  fvr_cancel_request(cancel);
  const fvr_setting path = set("request.model_path", model_folder);
  fvr_model* none = NULL;
  REQUIRE(fvr_model_load(runtime, &path, 1, cancel, &none, &last_error) == FVR_CANCELLED && none == NULL);
  const fvr_setting prompt = set("request.prompt", "a circle");
  fvr_request* request = check(model, &prompt, 1);
  video empty = {.pixels = NULL};
  REQUIRE(run_into(request, &empty, cancel) == FVR_CANCELLED && empty.pixels == NULL);
  fvr_request_close(request);
  fvr_cancel_free(cancel);
}

/* ---- Several runtimes. */

static void differ_in_what_is_theirs(fvr_runtime* first) {
  const fvr_setting own[] = {set("attention.backend", "SWIFT"), set("request.height", "16"),
                             set("request.model_path", model_folder), set("request.prompt", "a circle")};
  fvr_runtime* second = NULL;
  REQUIRE(open_runtime(own, COUNT(own), &second) == FVR_OK);
  fvr_model* models[] = {load(first), NULL};
  REQUIRE(fvr_model_load(second, NULL, 0, NULL, &models[1], &last_error) == FVR_OK);
  fvr_runtime_close(second); /* the model keeps it */
  const fvr_setting formula[] = {set("request.prompt", "a circle"), set("attention.backend", "FORMULA")};
  fvr_request* requests[] = {check(models[0], formula, COUNT(formula)), check(models[1], NULL, 0)};
  const char* const backends[] = {"FORMULA/", "SWIFT/"};
  for (int i = 0; i < 2; ++i) {
    bool found = false;
    fvr_site site = {.struct_size = sizeof site};
    for (uint32_t s = 0; fvr_request_site(requests[i], s, &site, NULL) == FVR_OK; ++s)
      found =
          found || (strcmp(site.role, "dit.self") == 0 && strncmp(site.backend, backends[i], strlen(backends[i])) == 0);
    REQUIRE(found);
    video made = {.pixels = NULL};
    REQUIRE(run_into(requests[i], &made, NULL) == FVR_OK && made.format.height == (i == 0 ? 8 : 16));
    free_video(&made);
    fvr_request_close(requests[i]);
    fvr_model_close(models[i]);
  }
}

static void share_what_is_of_the_process(void) {
  fvr_runtime* refused = NULL;
  const fvr_setting nowhere = set("plugins.path", "/nowhere/plugins");
  REQUIRE(open_runtime(&nowhere, 1, &refused) == FVR_REFUSED && was_refused("plugins.path", "does not exist"));
  const fvr_setting threads = {.path = "run.threads", .source = "the server", .type = FVR_INT, .as.integer = 3};
  REQUIRE(open_runtime(&threads, 1, &refused) == FVR_REFUSED && refused == NULL);
  REQUIRE(was_refused("run.threads",
                      "run.threads = 3, asked for by the server (run.threads), and this process has "
                      "had 2 (the test (run.threads)) since its first runtime"));
  const char* const folders[] = {"/usr/lib"};
  const fvr_setting libraries = {.path = "libraries.path", .type = FVR_STRINGS, .count = 1, .as.texts = folders};
  REQUIRE(open_runtime(&libraries, 1, &refused) == FVR_REFUSED && was_refused("libraries.path", "/usr/lib"));
  const fvr_setting level = set("log.level", "DEBUG");
  REQUIRE(open_runtime(&level, 1, &refused) == FVR_REFUSED && was_refused("log.level", "INFO"));
  const fvr_setting same = {.path = "run.threads", .type = FVR_INT, .as.integer = 2};
  REQUIRE(open_runtime(&same, 1, &refused) == FVR_OK);
  fvr_runtime_close(refused);
}

/* ---- The log. */

static atomic_int choices_told;

static void take_message(void* context, int32_t level, const char* source, const char* text) {
  if (level == 20 && strcmp(source, "attention") == 0 && strstr(text, "dit.self") != NULL) ++*(atomic_int*)context;
}

static void takes_the_log(void) {
  REQUIRE(fvr_log_to(NULL, NULL, &last_error) == FVR_INVALID);
  REQUIRE(fvr_log_to(take_message, &choices_told, &last_error) == FVR_OK);
  REQUIRE(fvr_log_to(take_message, &choices_told, &last_error) == FVR_OK);
  REQUIRE(fvr_log_to(take_message, folder, &last_error) == FVR_REFUSED);
}

int main(int argc, char** argv) {
  REQUIRE(argc == 2);
  plugins = argv[1];
  make_folders();
  takes_the_log();
  const fvr_setting threads = {.path = "run.threads", .source = "the test", .type = FVR_INT, .as.integer = 2};
  fvr_runtime* runtime = NULL;
  REQUIRE(open_runtime(&threads, 1, &runtime) == FVR_OK);
  fvr_model* model = load(runtime);

  lists_plugins(runtime);
  explains(model);
  names_settings(runtime, model);
  keeps_to_sizes(model);
  gives_results(model);
  ends_where_frames_are_refused(model);
  works_beside_a_run(runtime, model);
  is_cancelled_before_it_begins(runtime, model);
  differ_in_what_is_theirs(runtime);
  share_what_is_of_the_process();
  REQUIRE(choices_told > 0);

  fvr_model_close(model);
  fvr_runtime_close(runtime);
  fvr_runtime_close(NULL);
  remove_folders();
  return 0;
}
