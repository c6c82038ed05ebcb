/* fastvideo/pipeline.h - model pipelines: from a request to frames.
 *
 * A pipeline serves the model classes and takes the parameters that its manifest lists; the host turns the parameters
 * into flags, checks their types and ranges and fills in defaults. The pipeline gets attention and caching from the
 * services of the run and never opens another plugin.
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

/* A request for one video. parameters: every parameter of the manifest, checked and completed, and "prompt" (string;
 * absent where check is asked for the needs of any prompt), "seed" (int), "device" ("cpu" or "cuda:0"); where more
 * videos are to come, also "later_prompts" (list of strings): the prompts of the runs that follow on this pipeline, all
 * else being equal, so that the pipeline may encode them at once and keep its weights loaded. Borrowed for the call. */
typedef struct fv_pipeline_request {
  uint32_t struct_size;
  uint32_t parameter_count;
  const fv_entry* parameters;
} fv_pipeline_request;

/* Receives the needs of a request: attention sites, memory, corrections. All pointers are borrowed for the call. */
typedef struct fv_pipeline_plan_sink {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* An attention site of the run; runs: how often its plan will run. */
  void (*site)(void* context, const fv_attention_site* site, int64_t runs);
  /* A component ("text_encoder") with the bytes of its weights as they will lie in memory. */
  void (*component)(void* context, const char* name, uint64_t weight_bytes);
  /* Bytes of memory at the peak of a stage, including the weights that are loaded then. */
  void (*peak)(void* context, const char* stage, uint64_t bytes);
  /* A parameter that the pipeline corrects: the value asked for, the value used, and why. */
  void (*corrected)(void* context, const char* parameter, const char* asked, const char* used, const char* why);
  /* The session that the run would open with a caching strategy; not called if the pipeline offers no cuts. */
  void (*cache)(void* context, const fv_cache_session_info* info);
  /* Appended. */
  /* Bytes that a caching strategy may have kept of one branch's forward pass while `stage` runs. what: a signal of the
   * session info given to cache, or "blocks", all tensors that cross a cut of blocks. Tensors not reported count as
   * 0. */
  void (*kept)(void* context, const char* stage, const char* what, uint64_t bytes);
} fv_pipeline_plan_sink;

enum { FV_OUTPUT_VIDEO = 1, FV_OUTPUT_FRAMES = 2, FV_OUTPUT_LATENTS = 3, FV_OUTPUT_PREVIEW = 4 };

/* One output of a run. Borrowed for the call. */
typedef struct fv_pipeline_output {
  uint32_t struct_size;
  uint32_t kind; /* FV_OUTPUT_*; a sink ignores kinds that it does not know */
  /* FV_OUTPUT_VIDEO comes once, before all frames: size, frame count and rate of the video. */
  int32_t width;
  int32_t height;
  int64_t frame_count;
  int32_t fps_numerator;
  int32_t fps_denominator;
  /* FV_OUTPUT_FRAMES: uint8 [frames, height, width, 3], RGB, on the CPU; the next frames in order. FV_OUTPUT_LATENTS:
   * float32 [batch, channels, frames, height, width], on the CPU. FV_OUTPUT_PREVIEW, before the video and as often as
   * the sink asks: a small picture of what the video will be, uint8 [frames, height, width, 3], RGB, on the CPU, of any
   * size. */
  const fv_tensor* tensor;
} fv_pipeline_output;

/* Takes the outputs of a run while later outputs are still being made. */
typedef struct fv_pipeline_sink {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* [one per run] A status other than FV_OK ends the run, which then returns that status. */
  fv_status (*accept)(void* context, const fv_pipeline_output* output, fv_text* error);
  /* Appended. Denoising steps from one preview to the next; 0: no previews. A preview comes before its step is reported
   * as done. */
  int32_t preview_every;
  int32_t reserved1;
} fv_pipeline_sink;

typedef struct fv_pipeline fv_pipeline; /* owned by the plugin; one model folder */

/* The table of a pipeline. */
#define FV_PIPELINE_INTERFACE "fastvideo.pipeline/1"
typedef struct fv_pipeline_interface {
  uint32_t struct_size;
  uint32_t reserved0;
  /* [loader] Opens a model folder: reads and checks its configurations, not yet its weights. FV_REFUSED with the file
   * and the field if this pipeline cannot run the model. model_folder is an absolute path. */
  fv_status (*create)(const fv_services* host, const char* model_folder, fv_pipeline** pipeline, fv_text* error);
  void (*destroy)(fv_pipeline* pipeline);
  /* [one per pipeline] Tells sink what the request needs, from the configurations alone; FV_REFUSED, with the nearest
   * possible value, if the request is impossible. Reads no weights and touches no device. */
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
