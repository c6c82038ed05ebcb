/* fastvideo/abi.h - the ground of the plugin ABI: versions, status, text, values, services, the entry point.
 *
 * The header is the contract. C11, also valid C++17 and later; little-endian LP64; all text is UTF-8 and ends in NUL.
 *
 * Rules that hold everywhere
 *  - Every struct that may grow starts with struct_size, set by the struct's owner to sizeof(its type), also where the
 *    other side fills the struct: that side reads and writes no more bytes. Fields are only ever appended. A reader
 * asks FV_HAS(pointer, type, field) before it reads a field that was appended later.
 *  - Arrays hold pointers to such structs, or structs marked "frozen", which never change.
 *  - Reserved fields are zero.
 *  - Memory allocated on one side of the ABI is never freed on the other. A function's comment says how long the
 *    objects that it returns live.
 *  - Functions that can fail return fv_status and write a message into a text buffer that the caller owns: the fault,
 *    the value concerned, the remedy.
 *  - No exception and no longjmp crosses the ABI. <fastvideo/plugin.hpp> stops every exception for plugins written in
 *    C++.
 *  - Tables of functions are fetched by an id with a revision ("fastvideo.attention/1"). An unknown id gives NULL, in
 *    both directions. A function appended to a table later may be absent for ever: test it with FV_HAS and for NULL.
 *  - Thread tags: [loader] one thread at a time in a process, not always the same thread; [any] any thread, also
 * several at once; [one per X] one thread at a time for each X, different X in parallel.
 *  - Streams are arguments: a cudaStream_t/CUstream as void*, NULL on the CPU, where a call returns when its output is
 *    written. A plugin leaves the current device as it found it.
 *  - A plugin also leaves the state of the process as it found it: locale, umask, working directory, environment,
 *    signal handlers and masks, timers, standard descriptors, rounding mode. `fastvideo plugins check` tests this.
 *
 * Until 1.0 is cut the ABI is 0.x and a host takes plugins of exactly its own 0.x.
 */
#ifndef FASTVIDEO_ABI_H_
#define FASTVIDEO_ABI_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FV_ABI_MAJOR 0
#define FV_ABI_MINOR 1

#if defined(__GNUC__)
#define FV_EXPORT __attribute__((visibility("default")))
#else
#define FV_EXPORT
#endif

/* Whether the struct behind pointer, as its filler knew the type, holds field. */
#define FV_HAS(pointer, type, field) ((pointer)->struct_size >= offsetof(type, field) + sizeof(((const type*)0)->field))

/* The outcome of a call. Values are appended; an unknown value is a failure. */
typedef int32_t fv_status;
enum {
  FV_OK = 0,
  FV_FAILED = 1,    /* went wrong while running; the same request may work elsewhere or later */
  FV_REFUSED = 2,   /* the request is impossible; the text says what would be possible */
  FV_CANCELLED = 3, /* the run was cancelled; not an error. Only for a pipeline's run after the user asked to stop */
  FV_OUT_OF_MEMORY = 4, /* host or device memory */
};

/* A message buffer that the caller owns. The callee writes at most capacity bytes, the closing NUL among them, and
 * truncates a longer message. Frozen. A NULL fv_text* means that the caller does not want the message. */
typedef struct fv_text {
  char* data;
  uint32_t capacity;
  uint32_t reserved0;
} fv_text;

/* A parsed value: an option, a request parameter, a data file of the plugin. Frozen. Borrowed for the call. */
enum {
  FV_VALUE_NONE = 0,
  FV_VALUE_BOOL = 1,   /* as.integer is 0 or 1 */
  FV_VALUE_INT = 2,    /* as.integer */
  FV_VALUE_FLOAT = 3,  /* as.number */
  FV_VALUE_STRING = 4, /* as.string */
  FV_VALUE_LIST = 5,   /* count values at as.items */
  FV_VALUE_TABLE = 6,  /* count entries at as.entries, names unique */
};
struct fv_entry;
typedef struct fv_value {
  uint32_t type;
  uint32_t count;
  union {
    int64_t integer;
    double number;
    const char* string;
    const struct fv_value* items;
    const struct fv_entry* entries;
  } as;
} fv_value;

/* A named value. Frozen. */
typedef struct fv_entry {
  const char* name;
  fv_value value;
} fv_entry;

/* Gives services by id. A plugin gets the host's services; a pipeline's run gets the services of that run, which also
 * answer the host's ids. A service is a struct of functions that take the service's context first. A service of the
 * host lives for ever, a service of a run until the run returns. The ids stand beside the service structs. */
typedef struct fv_services {
  uint32_t struct_size;
  uint16_t abi_major; /* FV_ABI_MAJOR and FV_ABI_MINOR of the host */
  uint16_t abi_minor;
  const char* host_version;
  /* [any] NULL for an unknown id. */
  const void* (*get)(const struct fv_services* services, const char* id);
} fv_services;

/* One attention backend, caching strategy or pipeline that a plugin offers, in one implementation. The fields must
 * equal those of the item's [[item]] in plugin.toml. */
typedef struct fv_item {
  uint32_t struct_size;
  uint32_t reserved0;
  const char* kind;           /* "attention", "cache", "pipeline" */
  const char* name;           /* public name, "FLASH_ATTN" */
  const char* implementation; /* "sm90" */
  /* [any] The function table with the given id ("fastvideo.attention/1"), NULL if the item has none. The table lives
   * for ever. */
  const void* (*get_interface)(const char* id);
} fv_item;

/* The items in one library of a plugin. Lives for ever; libraries are never unloaded. */
typedef struct fv_plugin {
  uint32_t struct_size;
  uint16_t abi_major; /* the ABI that the plugin was compiled for */
  uint16_t abi_minor;
  const char* id;      /* as in plugin.toml: reverse DNS, lower case */
  const char* version; /* as in plugin.toml */
  uint32_t item_count;
  uint32_t reserved0;
  const fv_item* const* items;
} fv_plugin;

/* The only symbol a library exports. [loader] Called once for each load; must be fast, touch no device and start no
 * thread: such work belongs in an item's create. Returns NULL and writes error if the library cannot serve this
 * host. */
FV_EXPORT const fv_plugin* fastvideo_plugin(const fv_services* host, fv_text* error);
typedef const fv_plugin* (*fv_plugin_entry)(const fv_services* host, fv_text* error);

/* ---- Services of the host ------------------------------------------------------------------------------------- */

enum { FV_LOG_DEBUG = 10, FV_LOG_INFO = 20, FV_LOG_WARNING = 30, FV_LOG_ERROR = 40 };

/* The log. A plugin writes to it and never to stdout or stderr. */
#define FV_LOG_SERVICE "fastvideo.log/1"
typedef struct fv_log_service {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* [any] source is the plugin's id. One line of text, without the line's end. */
  void (*write)(void* context, int32_t level, const char* source, const char* text);
} fv_log_service;

/* CPU threads: the one way in which a plugin uses more than the thread it is called on. */
#define FV_PARALLEL_SERVICE "fastvideo.parallel/1"
typedef void (*fv_parallel_body)(void* data, int64_t begin, int64_t end);
typedef struct fv_parallel_service {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* [any] How many threads work on one parallel_for. */
  int32_t (*threads)(void* context);
  /* [any] Calls body on ranges that cover [0, count) once, each at least grain long but for the last; returns when all
   * ranges are done. Nested calls run on the calling thread. body must not throw. */
  void (*parallel_for)(void* context, int64_t count, int64_t grain, fv_parallel_body body, void* data);
  /* [one per process] A framework lends its thread pool, so that the process has only one: from then on, threads and
   * parallel_for of this service call these functions, which must behave as described above. */
  void (*lend)(void* context, void* pool, int32_t (*threads)(void* pool),
               void (*parallel_for)(void* pool, int64_t count, int64_t grain, fv_parallel_body body, void* data));
} fv_parallel_service;

/* The resolved configuration, read only. */
#define FV_CONFIGURATION_SERVICE "fastvideo.configuration/1"
typedef struct fv_configuration_service {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* [any] The value at a dotted path ("attention.backend"), NULL if there is none. Lives as long as the service. */
  const fv_value* (*get)(void* context, const char* path);
} fv_configuration_service;

/* The processes (ranks) of one run. Today there is always one. */
#define FV_WORLD_SERVICE "fastvideo.world/1"
typedef struct fv_world_service {
  uint32_t struct_size;
  int32_t rank;
  int32_t size;
  int32_t reserved0;
  void* context;
  /* [one per run] Adds values up over all ranks, in place; host memory. */
  fv_status (*sum)(void* context, double* values, uint32_t count, fv_text* error);
  /* [one per run] Copies `bytes` bytes at data from rank root to all ranks; host memory. */
  fv_status (*broadcast)(void* context, void* data, uint64_t bytes, int32_t root, fv_text* error);
} fv_world_service;

/* ---- Services of a run ---------------------------------------------------------------------------------------- */

/* Progress and cancelling. */
#define FV_PROGRESS_SERVICE "fastvideo.progress/1"
typedef struct fv_progress_service {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* [one per run] A new stage begins ("encode text", "denoise", "decode") and the one before it has ended. steps is 0
   * if the stage has none. The host times stages: device work of the ended stage must be complete, or its time is
   * counted in the next stage. */
  void (*stage)(void* context, const char* name, int64_t steps);
  /* [one per run] `done` steps of the stage are complete so far. */
  void (*step)(void* context, int64_t done);
  /* [any] Non-zero once the user asked to stop: return FV_CANCELLED within a step. */
  int32_t (*cancelled)(void* context);
  /* Appended. [one per run] `done` of the `all` bytes of weights that the stage loads are in memory. */
  void (*loaded)(void* context, uint64_t done, uint64_t all);
} fv_progress_service;

#ifdef __cplusplus
}
#endif
#endif
