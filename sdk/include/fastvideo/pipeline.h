/* fastvideo/pipeline.h - model pipelines: from a request to frames.
 *
 * A pipeline serves the model classes and takes the parameters that its manifest lists; the host makes flags of them,
 * checks types and ranges and fills in defaults. It gets attention and caching from the services of the run and never
 * opens another plugin.
 */
#ifndef FASTVIDEO_PIPELINE_H_
#define FASTVIDEO_PIPELINE_H_

#include "fastvideo/abi.h"
#include "fastvideo/attention.h"
#include "fastvideo/cache.h"
#include "fastvideo/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is asked for. parameters: every parameter of the manifest, checked and completed, and "prompt" (string; absent
 * where check is asked what any prompt would take), "seed" (int), "device" ("cpu" or "cuda:0"); where more videos are
 * to come, also "later_prompts" (list of strings): the prompts of the runs that follow on this pipeline, all else being
 * equal, so that it may encode them at once and keep what it has loaded. Borrowed for the call. */
typedef struct fv_pipeline_request {
  uint32_t struct_size;
  uint32_t parameter_count;
  const fv_entry* parameters;
} fv_pipeline_request;

/* Receives what a request would take. All pointers are borrowed for the call. */
typedef struct fv_pipeline_plan_sink {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* An attention site of the run, with the number of runs it will see. */
  void (*site)(void* context, const fv_attention_site* site, int64_t runs);
  /* A component ("text_encoder") with the bytes of its weights as they will lie in memory. */
  void (*component)(void* context, const char* name, uint64_t weight_bytes);
  /* Bytes at the peak of a stage, weights that are then in memory included. */
  void (*peak)(void* context, const char* stage, uint64_t bytes);
  /* A parameter that is not taken as asked but corrected, and why. */
  void (*corrected)(void* context, const char* parameter, const char* asked, const char* used, const char* why);
  /* What the cache would be asked to do; absent if the pipeline offers no cuts. */
  void (*cache)(void* context, const fv_cache_session_info* info);
  /* Appended. */
  /* Bytes of what a caching strategy may have kept of one branch's forward pass while `stage` runs: one of the signals
   * of the cache's info, or "blocks", all tensors that cross a cut of blocks. What is not told counts as nothing. */
  void (*kept)(void* context, const char* stage, const char* what, uint64_t bytes);
} fv_pipeline_plan_sink;

enum { FV_OUTPUT_VIDEO = 1, FV_OUTPUT_FRAMES = 2, FV_OUTPUT_LATENTS = 3, FV_OUTPUT_PREVIEW = 4 };

/* Something that a run gives out. Borrowed for the call. */
typedef struct fv_pipeline_output {
  uint32_t struct_size;
  uint32_t kind; /* FV_OUTPUT_*; a sink passes over kinds that it does not know */
  /* FV_OUTPUT_VIDEO comes first and once: the size of what follows. */
  int32_t width;
  int32_t height;
  int64_t frame_count;
  int32_t fps_numerator;
  int32_t fps_denominator;
  /* FV_OUTPUT_FRAMES: uint8 [frames, height, width, 3], RGB, on the CPU; the next ones in order. FV_OUTPUT_LATENTS:
   * float32 [batch, channels, frames, height, width], on the CPU. FV_OUTPUT_PREVIEW, before the video and as often as
   * the sink asks: a small picture of what the video will be, uint8 [frames, height, width, 3], RGB, on the CPU, of any
   * size. */
  const fv_tensor* tensor;
} fv_pipeline_output;

/* Takes the outputs of a run, while later ones are still being made. */
typedef struct fv_pipeline_sink {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* [one per run] A status other than FV_OK ends the run, which then returns that status. */
  fv_status (*accept)(void* context, const fv_pipeline_output* output, fv_text* error);
  /* Appended. Steps of the loop from one preview to the next; 0: none is wanted. A preview comes before its step is
   * reported as done. */
  int32_t preview_every;
  int32_t reserved1;
} fv_pipeline_sink;

typedef struct fv_pipeline fv_pipeline; /* of the plugin: one model folder */

/* The table of a pipeline. */
#define FV_PIPELINE_INTERFACE "fastvideo.pipeline/1"
typedef struct fv_pipeline_interface {
  uint32_t struct_size;
  uint32_t reserved0;
  /* [loader] Opens a model folder: reads and checks its configurations, not yet its weights. FV_REFUSED with the file
   * and the field if this pipeline cannot run it. The folder is an absolute path. */
  fv_status (*create)(const fv_services* host, const char* model_folder, fv_pipeline** pipeline, fv_text* error);
  void (*destroy)(fv_pipeline* pipeline);
  /* [one per pipeline] What the request would take, from the configurations alone; FV_REFUSED, with the nearest
   * possible value, if it is impossible. Reads no weights and touches no device. */
  fv_status (*check)(fv_pipeline* pipeline, const fv_pipeline_request* request, const fv_pipeline_plan_sink* sink,
                     fv_text* error);
  /* [one per pipeline] Makes the video. services are those of the run. */
  fv_status (*run)(fv_pipeline* pipeline, const fv_services* services, const fv_pipeline_request* request,
                   const fv_pipeline_sink* sink, fv_text* error);
} fv_pipeline_interface;

#ifdef __cplusplus
}
#endif
#endif
