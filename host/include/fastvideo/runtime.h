/* fastvideo/runtime.h - FastVideo Runtime embedded in a program: libfastvideo.so.
 *
 *   runtime   configuration and plugins            fvr_runtime_open
 *   model     a model folder, open on a device     fvr_model_load
 *   request   the settings of a video, checked     fvr_check
 *   result    video, time and memory of a run      fvr_run
 *
 * The header is the contract. C11, also valid C++17 and later. docs/embedding.md has a whole program. Names begin with
 * fvr_, those of the plugin ABI with fv_: a plugin that embeds the runtime may include both.
 *
 * Rules that hold everywhere
 *  - Every struct that may grow starts with struct_size, set by the struct's owner to sizeof(its type), also where the
 *    library fills the caller's struct: the library reads and writes no more bytes than that. Fields are only ever
 *    appended. Reserved fields are zero. Zero a struct before its size is set: fields that an older library does not
 *    know stay as they are.
 *  - Functions that can fail return fvr_status and fill an fvr_error; a NULL fvr_error* means that the caller does not
 *    want the message. After a failure, a handle that the function would have given is NULL.
 *  - Texts passed in are UTF-8, end in NUL and are borrowed for the call. Texts passed out live as long as the handle
 *    that they were asked of. What a callback receives is borrowed for the call.
 *  - A model keeps its runtime alive, a request its model; a result stands alone: close handles in any order. Closing
 *    NULL does nothing. The handle that is passed to a call is not closed during it; those it was made from may be.
 *
 * Threads: every function may be called from any thread, from several at once; its comment says where calls take turns.
 *  - Loading and checking take turns in a process; a check waits for neither a run of its model nor any other. A run
 * may wait for a load or a check in progress, before it begins and where it opens attention; a cancel then takes effect
 *    when the wait ends.
 *  - A model runs one request at a time; a second run is FVR_BUSY at once. Models run side by side.
 *  - Callbacks of fvr_frames and fvr_observer come from the thread that called fvr_run, which waits for them; those of
 *    fvr_log from any thread. They must not throw; they may call anything but a run of the same model, and a log's
 *    function nothing that waits for a load or a check.
 *
 * A guest in the process: the library changes no signal handler, mask, exit handler, umask, affinity, descriptor,
 * environment variable or locale, starts no program, writes nothing to standard output or error, and never ends the
 * process. Plugins are separate libraries; neither they nor libfastvideo.so are ever unloaded.
 */
#ifndef FASTVIDEO_RUNTIME_H_
#define FASTVIDEO_RUNTIME_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FVR_EXPORT __attribute__((visibility("default")))
#else
#define FVR_EXPORT
#endif

/* "0.1.0" */
FVR_EXPORT const char* fvr_version(void);

/* ---- Errors --------------------------------------------------------------------------------------------------- */

/* The outcome of a call. Values are appended; an unknown value is a failure. The first five are the plugin ABI's. */
typedef int32_t fvr_status;
enum {
  FVR_OK = 0,
  FVR_FAILED = 1,        /* went wrong while running; the same request may work elsewhere or later */
  FVR_REFUSED = 2,       /* the request is impossible; the text says what would be possible */
  FVR_CANCELLED = 3,     /* stopped through the call's fvr_cancel; not an error */
  FVR_OUT_OF_MEMORY = 4, /* host or device memory */
  FVR_BUSY = 5,          /* the model is running: the same call works when that run has ended */
  FVR_INVALID = 6,       /* the call breaks the rules of this header: a NULL, no struct_size, an index too high */
};

/* A failure and its message. The caller owns the struct and the buffer; a call that succeeds clears both. */
typedef struct fvr_error {
  uint32_t struct_size;
  fvr_status status;
  char* text;        /* buffer for the message: the fault, the value, the remedy; NULL: not wanted */
  uint32_t capacity; /* bytes of the buffer; the message is cut between characters and ends in NUL */
  uint32_t length;   /* bytes of the whole message without its NUL; capacity or more: it was cut */
  char setting[128]; /* path of the setting at fault ("request.height"); empty: none, or several */
} fvr_error;

/* ---- Settings ------------------------------------------------------------------------------------------------- */

enum {
  FVR_TEXT = 0,    /* as.text, read as the value of a flag: "480", "true", "7.5", lists with their separator */
  FVR_BOOL = 1,    /* as.integer, 0 or 1 */
  FVR_INT = 2,     /* as.integer */
  FVR_FLOAT = 3,   /* as.number */
  FVR_STRING = 4,  /* as.text, taken literally */
  FVR_STRINGS = 5, /* count texts at as.texts */
};

/* A setting by its path, as docs/configuration.md lists them. Frozen. */
typedef struct fvr_setting {
  const char* path;   /* "request.height", "attention.backend", "cache.teacache.threshold" */
  const char* source; /* the setting's origin in messages ("the web form"); NULL: the path alone */
  uint32_t type;      /* FVR_TEXT ... */
  uint32_t count;     /* of FVR_STRINGS */
  union {
    int64_t integer;
    double number;
    const char* text;
    const char* const* texts;
  } as;
} fvr_setting;

/* ---- Log ------------------------------------------------------------------------------------------------------ */

/* Takes a log message. level: 10 debug, 20 info, 30 warning, 40 error, 50 critical. source: the part of the library
 * that writes it ("selection"), or a plugin's id. The text may have several lines and quotes files and plugins
 * unaltered. Both texts are borrowed for the call, which comes from any thread, from several at once. */
typedef void (*fvr_log)(void* context, int32_t level, const char* source, const char* text);

/* Sets the function that takes the messages of all runtimes of the process, from log.level up ("INFO"); until then
 * messages are dropped. It stays as long as the process: FVR_REFUSED if another function, or the same with another
 * context, takes the messages already. */
FVR_EXPORT fvr_status fvr_log_to(fvr_log log, void* context, fvr_error* error);

/* ---- Runtime -------------------------------------------------------------------------------------------------- */

typedef struct fvr_runtime fvr_runtime;

/* Configuration sources beside the installation's own file. */
enum {
  FVR_USER_FILE = 1,   /* the file of FASTVIDEO_CONFIG, or else the user's (~/.config/fastvideo/fastvideo.toml) */
  FVR_ENVIRONMENT = 2, /* variables of settings: FASTVIDEO_ATTENTION_BACKEND, FASTVIDEO_PLUGIN_PATH, ... */
};

/* Where settings come from, in rising order of rank: the installation's lib/fastvideo/install.toml, the user's file,
 * the files, the environment, the settings; then those of a model and those of a request. */
typedef struct fvr_runtime_config {
  uint32_t struct_size;
  uint32_t sources;         /* FVR_USER_FILE | FVR_ENVIRONMENT; 0: neither */
  const char* installation; /* folder that holds lib/fastvideo; NULL: that of this library */
  const char* const* files; /* TOML files; each must exist */
  const fvr_setting* settings;
  uint32_t file_count;
  uint32_t setting_count;
} fvr_runtime_config;

/* Reads the configuration and the manifests of all plugins; opens no plugin. `config` may be NULL.
 *
 * Runtimes are independent, and each has plugin folders of its own. Three settings belong to the process, and the first
 * runtime fixes them for the life of the process: CPU threads (run.threads), folders of libraries (libraries.path), and
 * the level of the log (log.level). A runtime that gives another value is FVR_REFUSED, with the first value and its
 * source; a runtime that gives none takes the first value. */
FVR_EXPORT fvr_status fvr_runtime_open(const fvr_runtime_config* config, fvr_runtime** runtime, fvr_error* error);
FVR_EXPORT void fvr_runtime_close(fvr_runtime* runtime);

enum { FVR_OFFERED = 0, FVR_SHADOWED = 1, FVR_UNUSABLE = 2, FVR_UNKNOWN_KIND = 3, FVR_DISABLED = 4 };

/* An item of a plugin, as its manifest declares it. */
typedef struct fvr_item {
  uint32_t struct_size;
  uint32_t state;             /* FVR_OFFERED ... */
  const char* kind;           /* "attention", "cache", "pipeline" */
  const char* name;           /* "FLASH_ATTN" */
  const char* implementation; /* "sm90" */
  const char* summary;
  const char* reason;  /* why it is not offered; empty if it is */
  const char* plugin;  /* id of its plugin */
  const char* version; /* of its plugin */
  const char* library; /* the file that would be opened */
  const char* origin;  /* the setting or default that named the plugin's folder */
} fvr_item;

/* Items of all plugins in search order, including items that are not offered. */
FVR_EXPORT uint32_t fvr_runtime_item_count(const fvr_runtime* runtime);
FVR_EXPORT fvr_status fvr_runtime_item(const fvr_runtime* runtime, uint32_t index, fvr_item* item, fvr_error* error);

/* Faults of plugin folders, a sentence each: a folder that is refused, a folder that does not exist. */
FVR_EXPORT uint32_t fvr_runtime_warning_count(const fvr_runtime* runtime);
/* NULL for an index that is too high. */
FVR_EXPORT const char* fvr_runtime_warning(const fvr_runtime* runtime, uint32_t index);

/* ---- Cancelling ----------------------------------------------------------------------------------------------- */

/* Tells one load or run to stop; once requested, it stays so. Must outlive the call that it was given to. */
typedef struct fvr_cancel fvr_cancel;
/* NULL if there is no memory. */
FVR_EXPORT fvr_cancel* fvr_cancel_new(void);
/* Also async-signal-safe. A run stops within a step, loading weights within a second, opening a plugin afterwards. */
FVR_EXPORT void fvr_cancel_request(fvr_cancel* cancel);
FVR_EXPORT void fvr_cancel_free(fvr_cancel* cancel);

/* ---- Models --------------------------------------------------------------------------------------------------- */

typedef struct fvr_model fvr_model;

/* Opens the model that the settings name: request.model_path (a folder in diffusers format, or a repository in the
 * Hugging Face cache), run.device, request.pipeline. Other settings hold for all requests to the model. Opens the
 * pipeline's plugin and the libraries that it needs, and reads the model's configurations; weights are read by the
 * first run that needs them, and its observer is told. `cancel` may be NULL. Takes turns with other loads and
 * checks. */
FVR_EXPORT fvr_status fvr_model_load(fvr_runtime* runtime, const fvr_setting* settings, uint32_t setting_count,
                                     fvr_cancel* cancel, fvr_model** model, fvr_error* error);
/* Frees weights and plans, once the model's requests are closed, too. Waits for a load or check in progress. */
FVR_EXPORT void fvr_model_close(fvr_model* model);

/* A model that is open. */
typedef struct fvr_model_info {
  uint32_t struct_size;
  uint32_t reserved0;
  const char* name;           /* of the repository, or of the folder */
  const char* folder;         /* absolute */
  const char* model_class;    /* "WanPipeline" */
  const char* pipeline;       /* the item that runs the model, "wan/torch" */
  const char* plugin;         /* id of its plugin */
  const char* plugin_version; /* of its plugin */
  const char* library;        /* the file of the pipeline's library */
  const char* device;         /* "cpu", "cuda:0" */
  const char* device_name;    /* "NVIDIA H200 (sm90)" */
  const char* device_reason;  /* "auto: the first CUDA device" */
} fvr_model_info;
FVR_EXPORT fvr_status fvr_model_describe(const fvr_model* model, fvr_model_info* info, fvr_error* error);

/* ---- Requests ------------------------------------------------------------------------------------------------- */

typedef struct fvr_request fvr_request;

/* Completes and checks the settings, chooses and plans an attention backend for each site, creates the caching
 * strategy. FVR_REFUSED says why not, also for a setting that would have no effect. A prompt is needed only to run the
 * request, not to check and describe it. Takes turns with loads and other checks of the process; works during a run. */
FVR_EXPORT fvr_status fvr_check(fvr_model* model, const fvr_setting* settings, uint32_t setting_count,
                                fvr_request** request, fvr_error* error);
/* Frees the request's plans and strategy. Waits for a load or check in progress. */
FVR_EXPORT void fvr_request_close(fvr_request* request);

/* A request as a whole: the decisions, and the lengths of its lists. */
typedef struct fvr_request_info {
  uint32_t struct_size;
  uint32_t seed_drawn; /* 1: no seed was given */
  uint64_t seed;
  uint32_t prompt_count;    /* several with a file of prompts; 0: none was given */
  uint32_t site_count;      /* attention sites */
  uint32_t parameter_count; /* values in force */
  uint32_t memory_count;    /* estimates of memory */
  const char* preset;       /* "none" */
  const char* strategy;     /* caching: "teacache/policy", or "none" */
  const char* strategy_source;
  int32_t steps; /* of the denoising loop; 0: the pipeline offers caching no loop */
  int32_t branches;
  uint64_t peak_bytes;      /* the largest estimate of a stage; 0: not known */
  uint64_t available_bytes; /* on the device when the request was checked; 0: not known */
  const char* shortage;     /* why fvr_run would refuse for want of memory, at the time of the check; empty: enough */
} fvr_request_info;
FVR_EXPORT fvr_status fvr_request_describe(const fvr_request* request, fvr_request_info* info, fvr_error* error);

enum { FVR_EXACT = 0, FVR_REORDERED = 1, FVR_APPROXIMATE = 2 };
enum { FVR_TEST_PASSED = 0, FVR_TEST_FAILED = 1, FVR_TEST_NOT_RUN = 2 };
/* The roles that a name asked for governs: this role; all roles that the backend claims; roles that no backend claims;
 * the transformer's other roles. */
enum { FVR_FOR_ROLE = 0, FVR_FOR_CLAIMED = 1, FVR_FOR_REST = 2, FVR_FOR_OTHERS = 3 };

/* An attention site and the backend that serves it. */
typedef struct fvr_site {
  uint32_t struct_size;
  uint32_t numerics;        /* FVR_EXACT ... */
  const char* role;         /* "dit.self" */
  const char* backend;      /* "FLASH_ATTN/cpu" */
  const char* kernel;       /* may be empty */
  const char* library;      /* the backend's file */
  const char* asked;        /* the name that was asked for, "auto" */
  const char* asked_source; /* the setting or default that asked for it */
  uint32_t asked_scope;     /* FVR_FOR_ROLE ... */
  uint32_t self_test;       /* FVR_TEST_PASSED ... */
  const char* self_test_text;
  uint32_t reason_count;
  int32_t head_size;
  int32_t heads;
  int32_t layers;
  int64_t batch;
  int64_t query_length;
  int64_t key_length;
  int64_t runs; /* calls in one run of the request, as the pipeline counts */
  uint64_t resident_bytes;
  uint64_t scratch_bytes;
} fvr_site;
FVR_EXPORT fvr_status fvr_request_site(const fvr_request* request, uint32_t index, fvr_site* site, fvr_error* error);

enum {
  FVR_PICKED = 1,      /* the candidates that the choice was made from */
  FVR_SLOWER = 2,      /* the exact backend that is faster than the choice */
  FVR_SUBSTITUTED = 3, /* why the backend asked for cannot serve, so that a fallback does */
  FVR_OVERRIDDEN = 4,  /* another name that was asked for, and the setting that did */
  FVR_NOT_TAKEN = 5,   /* another implementation of the name, and why it was not taken */
};
/* A reason behind the choice at a site. */
typedef struct fvr_reason {
  uint32_t struct_size;
  uint32_t kind;       /* FVR_PICKED ... */
  const char* subject; /* the other backend or name; may be empty */
  const char* text;
} fvr_reason;
FVR_EXPORT fvr_status fvr_request_reason(const fvr_request* request, uint32_t site, uint32_t index, fvr_reason* reason,
                                         fvr_error* error);

/* A value in force: a parameter of the pipeline, or an option of a backend or a strategy that serves the request. */
typedef struct fvr_parameter {
  uint32_t struct_size;
  uint32_t reserved0;
  const char* path;   /* of the value's setting: "request.height", "cache.teacache.threshold" */
  const char* value;  /* as TOML writes it */
  const char* source; /* "default", "preset 480p", a file with line and column, a setting's source */
  const char* used;   /* the corrected value if the pipeline corrects it; else empty */
  const char* reason; /* why the pipeline corrects it; else empty */
} fvr_parameter;
FVR_EXPORT fvr_status fvr_request_parameter(const fvr_request* request, uint32_t index, fvr_parameter* parameter,
                                            fvr_error* error);

enum { FVR_WEIGHTS = 1, FVR_PEAK = 2, FVR_BESIDE = 3 };
/* An estimate of memory: the weights of a component, the peak of a stage, or the device memory that CUDA takes beside
 * the highest peak (context, libraries, the allocator's reserve). */
typedef struct fvr_memory {
  uint32_t struct_size;
  uint32_t kind;    /* FVR_WEIGHTS, FVR_PEAK, FVR_BESIDE */
  const char* name; /* "transformer", "denoise", "cuda:0" */
  uint64_t bytes;
} fvr_memory;
FVR_EXPORT fvr_status fvr_request_memory(const fvr_request* request, uint32_t index, fvr_memory* memory,
                                         fvr_error* error);

/* The steps of a branch that caching will leave out, counted from 0, in order, where they are known before a run; else
 * FVR_REFUSED says why not. May read the weights that the strategy's measurements need. The array lives as long as the
 * request. Counts as a run of the model while it works, and takes turns with loads and checks. FVR_BUSY: the
 * model is running. */
FVR_EXPORT fvr_status fvr_request_left_out(fvr_request* request, uint32_t branch, const int32_t** steps,
                                           uint32_t* count, fvr_error* error);

/* ---- Running -------------------------------------------------------------------------------------------------- */

/* Size and speed of a video. */
typedef struct fvr_video {
  uint32_t struct_size;
  int32_t width;
  int32_t height;
  int32_t fps_numerator;
  int32_t fps_denominator;
  int32_t reserved0;
  int64_t frame_count;
} fvr_video;

/* Size of a preview. */
typedef struct fvr_picture {
  uint32_t struct_size;
  int32_t width;
  int32_t height;
  int32_t reserved0;
  int64_t frame_count;
} fvr_picture;

/* Takes the frames of a run. Any function may be NULL. A value other than 0 ends the run, which is then FVR_FAILED. */
typedef struct fvr_frames {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* Once, before the first frame. */
  int32_t (*begin)(void* context, const fvr_video* video);
  /* The next `count` whole frames, at least 1: uint8 [count, height, width, 3], RGB, contiguous. Borrowed for the call.
   */
  int32_t (*frames)(void* context, const uint8_t* rgb, int64_t count);
  /* Steps of denoising from one preview to the next; 0: none. */
  int32_t preview_every;
  int32_t reserved1;
  /* A preview of the video: uint8 [frame_count, height, width, 3], RGB, small, colours about right. Called before its
   * step is reported, and before `begin`. Borrowed for the call. Never called if the pipeline has no previews.
   */
  int32_t (*preview)(void* context, const fvr_picture* picture, const uint8_t* rgb);
} fvr_frames;

/* Watches a run. Any function may be NULL. */
typedef struct fvr_observer {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* A stage begins ("load transformer", "denoise"), and the one before it has ended. steps: 0 if the stage has none. */
  void (*stage)(void* context, const char* name, int64_t steps);
  /* `done` steps of the stage are complete so far: never fewer than before, nor more than the stage has. */
  void (*step)(void* context, int64_t done);
  /* `done` of the `all` bytes of weights that the stage loads are in memory: more than before each time. */
  void (*loaded)(void* context, uint64_t done, uint64_t all);
} fvr_observer;

typedef struct fvr_run_options {
  uint32_t struct_size;
  uint32_t prompt;              /* index of the prompt to run, from 0 */
  fvr_cancel* cancel;           /* NULL: none */
  const fvr_frames* frames;     /* NULL: the frames are dropped */
  const fvr_observer* observer; /* NULL: no observer */
} fvr_run_options;

typedef struct fvr_result fvr_result;

/* Makes the video. Returns when all frames have been passed to `frames`. `options` may be NULL. A request may run
 * again, and requests to one model may differ in every setting of a request. FVR_BUSY: the model is running.
 * FVR_REFUSED also for want of memory, unless run.memory_check is false. FVR_CANCELLED says where the run stopped:
 * "cancelled at denoise 12/30". */
FVR_EXPORT fvr_status fvr_run(fvr_request* request, const fvr_run_options* options, fvr_result** result,
                              fvr_error* error);
FVR_EXPORT void fvr_result_close(fvr_result* result);

/* The video's size, and the time and memory that the run took. */
typedef struct fvr_result_info {
  uint32_t struct_size;
  uint32_t stage_count;
  uint32_t attention_count;
  uint32_t branch_count; /* branches of fvr_result_left_out; 0 without caching */
  int32_t width;
  int32_t height;
  int64_t frame_count;
  int32_t fps_numerator;
  int32_t fps_denominator;
  double seconds;
  uint64_t seed;
  uint64_t passes_decided;      /* forward passes that the caching strategy decided; 0 without one */
  uint64_t passes_reused;       /* of these, passes that it left out */
  uint64_t peak_host_bytes;     /* the most resident memory of this process so far */
  uint64_t peak_device_bytes;   /* in use on the device during the run, by all processes; 0: the CPU, or not known */
  uint64_t device_bytes_before; /* in use on the device when the run began */
  const char* prompt;
} fvr_result_info;
FVR_EXPORT fvr_status fvr_result_describe(const fvr_result* result, fvr_result_info* info, fvr_error* error);

/* A stage; stages are in the order in which they first began, and a stage that began again has all its time and bytes
 * in its first place. */
typedef struct fvr_stage {
  uint32_t struct_size;
  uint32_t step_count; /* length of step_seconds */
  const char* name;
  double seconds;
  const double* step_seconds; /* of each step; lives as long as the result */
  uint64_t loaded_bytes;      /* of weights */
} fvr_stage;
FVR_EXPORT fvr_status fvr_result_stage(const fvr_result* result, uint32_t index, fvr_stage* stage, fvr_error* error);

/* The calls of attention at a role, and the backend that served them. */
typedef struct fvr_attention_use {
  uint32_t struct_size;
  uint32_t reserved0;
  const char* role;
  const char* backend;
  const char* kernel;
  const char* library;
  uint64_t calls;
} fvr_attention_use;
FVR_EXPORT fvr_status fvr_result_attention(const fvr_result* result, uint32_t index, fvr_attention_use* use,
                                           fvr_error* error);

/* The steps of a branch that caching left out, counted from 0, in order. The array lives as long as the result. */
FVR_EXPORT fvr_status fvr_result_left_out(const fvr_result* result, uint32_t branch, const int32_t** steps,
                                          uint32_t* count, fvr_error* error);

/* ---- Handlers of the embedder --------------------------------------------------------------------------------- */

/* Names the plugin's function that this thread is in ("run of FLASH_ATTN/cpu at dit.self"); if it is in none, that of
 * the thread that has been in one for longest. Writes at most size - 1 bytes and a NUL; returns the length, 0 if no
 * call is in progress. Async-signal-safe: for the embedder's own crash handler. */
FVR_EXPORT size_t fvr_describe_call(char* text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
