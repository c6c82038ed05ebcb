/* fastvideo/early_signals.h - signals that a pipeline can measure for a caching strategy before a run.
 *
 * A pipeline item may offer this table beside the table of its kind, if its fv_cache_session_info marks signals as
 * early: a strategy that plans ahead can then be asked for its schedule without a run, and the host can show the
 * schedule.
 */
#ifndef FASTVIDEO_EARLY_SIGNALS_H_
#define FASTVIDEO_EARLY_SIGNALS_H_

#include "fastvideo/cache.h"
#include "fastvideo/pipeline.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FV_EARLY_SIGNALS_INTERFACE "fastvideo.early_signals/1"
typedef struct fv_early_signals_interface {
  uint32_t struct_size;
  uint32_t reserved0;
  /* [one per pipeline] Writes norms of early signals over the steps of a request into the caller's
   * values[steps][measure_count]: the numbers that a run of this request hands to the strategy's schedule. Reads the
   * weights that the norms need and computes on the device of the run. */
  fv_status (*measure)(fv_pipeline* pipeline, const fv_pipeline_request* request, const fv_cache_measure* measures,
                       uint32_t measure_count, double* values, fv_text* error);
} fv_early_signals_interface;

#ifdef __cplusplus
}
#endif
#endif
