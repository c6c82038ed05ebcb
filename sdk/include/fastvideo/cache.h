/* fastvideo/cache.h - caching strategies: parts of a denoising step left out, and the kept tensors that replace them.
 *
 * A strategy is a policy and touches no tensor. The pipeline publishes signals that it can measure and cuts that it can
 * leave out; the strategy says which numbers it wants and which tensors to keep (slots), and answers for each point of
 * the loop: compute, or combine the slots with these coefficients. The pipeline measures, keeps and combines the
 * tensors. So a strategy works on every device, gives the same answer on every rank, and is a page of code.
 *
 * docs/decisions/0003-cache-policies.md writes TeaCache, MagCache, EasyCache, first-block cache, TaylorSeer and
 * guidance gating against this interface.
 */
#ifndef FASTVIDEO_CACHE_H_
#define FASTVIDEO_CACHE_H_

#include "fastvideo/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Signals. The pipeline lists the signals it has; N is the number of a block.
 *   latent.in           what goes into the model            model.out            what comes out of it
 *   time.embed          the time embedding                  time.proj            its projection to the modulations
 *   block.N.modulated   the modulated input of block N      block.N.out          the output of block N
 *   block.N.residual    output minus input of block N       blocks.residual      output minus input of all blocks */

/* A norm of a signal x: the mean of |x| or the root of the mean of x^2, over all elements of a batch row. */
enum { FV_NORM_L1 = 1, FV_NORM_L2 = 2 };

/* What is subtracted before the norm is taken: nothing; x at the step before, whether computed or not; x at the last
 * step at which the cut was computed. A difference to a step that does not exist is NaN. */
enum { FV_MINUS_NOTHING = 0, FV_MINUS_PREVIOUS = 1, FV_MINUS_LAST_COMPUTED = 2 };

/* One number that a strategy wants at each step. Frozen. */
typedef struct fv_cache_measure {
  const char* signal;
  uint32_t norm;  /* FV_NORM_* */
  uint32_t minus; /* FV_MINUS_* */
} fv_cache_measure;

/* Kinds of cut: the part of the model that can be left out. Bits of fv_cache_session_info.cuts. */
enum {
  FV_CUT_MODEL = 1u << 0,  /* the whole forward pass */
  FV_CUT_BLOCKS = 1u << 1, /* blocks [first, last) */
  FV_CUT_BRANCH = 1u << 2, /* the forward pass of one branch, number first */
};

/* A cut. Frozen. */
typedef struct fv_cache_cut {
  uint32_t kind; /* FV_CUT_* */
  int32_t first;
  int32_t last;
  int32_t reserved0;
} fv_cache_cut;

/* The tensor that a slot keeps from a step that computed the cut: the cut's output; output minus input; output minus
 * the output of another branch at the same step. */
enum { FV_KEEP_OUTPUT = 0, FV_KEEP_RESIDUAL = 1, FV_KEEP_BRANCH_DIFFERENCE = 2 };

/* A slot. The pipeline owns the memory and keeps one slot for each branch. A cut may carry several tensors (image and
 * text streams): a slot then holds all of them. Frozen. */
typedef struct fv_cache_slot {
  uint32_t keep;        /* FV_KEEP_* */
  int32_t back;         /* 0: the last computed step, 1: the one before it, ... */
  int32_t other_branch; /* for FV_KEEP_BRANCH_DIFFERENCE */
  int32_t reserved0;
} fv_cache_slot;

/* The model, loop, cuts and signals that a session is opened for. Borrowed for the call. */
typedef struct fv_cache_session_info {
  uint32_t struct_size;
  uint32_t cuts;      /* FV_CUT_* that the pipeline offers */
  const char* model;  /* configuration key, "wan2.1-t2v-1.3b"; empty if the pipeline knows none */
  const char* preset; /* tells models of equal configuration apart; may be empty */
  int32_t steps;
  int32_t branches;         /* 1 without guidance, 2 with */
  int32_t branches_at_once; /* 1: one forward pass a branch; = branches: one pass for all, left out as a whole */
  int32_t blocks;
  int32_t experts;
  uint32_t signal_count;
  const char* const* signals;
  const uint8_t* early;          /* [signal_count] 1: the signal's norms over all steps are known before the loop */
  const double* sigmas;          /* [steps + 1] */
  const double* timesteps;       /* [steps], in units of the model's training (0..1000) */
  const int32_t* expert_of_step; /* [steps] */
} fv_cache_session_info;

/* Whether a strategy supports a session. */
typedef struct fv_cache_support {
  uint32_t struct_size;
  uint32_t supported;
  fv_text reason; /* the caller's buffer: why not */
} fv_cache_support;

/* What a strategy asks of the pipeline. Filled by open; pointers live until the session is closed. */
typedef struct fv_cache_plan {
  uint32_t struct_size;
  uint32_t is_static; /* 1: schedule answers everything before the loop, decide is not called */
  fv_cache_cut cut;
  uint32_t measure_count;
  uint32_t slot_count;
  const fv_cache_measure* measures;
  const fv_cache_slot* slots;
} fv_cache_plan;

/* A forward pass of the denoising loop. Borrowed for the call. */
typedef struct fv_cache_point {
  uint32_t struct_size;
  int32_t step;
  int32_t steps;
  int32_t expert;
  double sigma;
  const int32_t* branches; /* the branch of each batch row of this forward pass */
  int32_t batch;
  int32_t reserved0;
} fv_cache_point;

/* A strategy's answer. The caller provides coefficients with room for slot_count + 1 numbers; the cut's output becomes
 *   sum_i coefficients[i] * slot[i]  +  coefficients[slot_count] * base
 * where base is the cut's input, or for FV_CUT_BRANCH the output of the other branch at this step. All coefficients of
 * a combination are written and finite, and every slot with a coefficient other than 0 has been filled; the host
 * refuses any other answer. */
enum { FV_CACHE_COMPUTE = 0, FV_CACHE_COMBINE = 1 };
typedef struct fv_cache_decision {
  uint32_t struct_size;
  uint32_t action; /* FV_CACHE_* */
  double* coefficients;
} fv_cache_decision;

typedef struct fv_cache_strategy fv_cache_strategy; /* owned by the plugin */
typedef struct fv_cache_session fv_cache_session;   /* owned by the plugin; for one video */

/* The table of a strategy. */
#define FV_CACHE_INTERFACE "fastvideo.cache/1"
typedef struct fv_cache_interface {
  uint32_t struct_size;
  uint32_t reserved0;
  /* [loader] options: every option of the manifest, and its data files, checked and completed by the host. */
  fv_status (*create)(const fv_services* host, const fv_entry* options, uint32_t option_count,
                      fv_cache_strategy** strategy, fv_text* error);
  void (*destroy)(fv_cache_strategy* strategy);
  /* [any] Pure. A refusal carries a reason: no coefficients for this model, three steps leave nothing to skip. */
  fv_status (*supports)(fv_cache_strategy* strategy, const fv_cache_session_info* info, fv_cache_support* support,
                        fv_text* error);
  /* [one per strategy] */
  fv_status (*open)(fv_cache_strategy* strategy, const fv_cache_session_info* info, fv_cache_session** session,
                    fv_cache_plan* plan, fv_text* error);
  /* [one per session] Before the loop, if is_static. measurements: [steps][measure_count], of early signals. decisions:
   * [steps][branches] pointers, step first. NULL in the table: never static. */
  fv_status (*schedule)(fv_cache_session* session, const double* measurements, fv_cache_decision* const* decisions,
                        fv_text* error);
  /* [one per session] Before the cut, once for each forward pass, with all measures that are known by then (the others
   * NaN): [batch][measure_count]. Decides for all rows of the pass together. */
  fv_status (*decide)(fv_cache_session* session, const fv_cache_point* point, const double* measurements,
                      fv_cache_decision* decision, fv_text* error);
  /* [one per session] After a forward pass that computed the cut, with all measures. NULL in the table: not wanted. */
  fv_status (*observe)(fv_cache_session* session, const fv_cache_point* point, const double* measurements,
                       fv_text* error);
  void (*close)(fv_cache_session* session);
} fv_cache_interface;

/* How a pipeline uses the strategy that the user chose. A service of a run; get gives NULL when caching is off. */
#define FV_CACHE_SERVICE "fastvideo.cache_service/1"
typedef struct fv_cache_service {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  const char* strategy; /* public name */
  /* [one per run] FV_REFUSED with the strategy's reason if the strategy does not support the session. */
  fv_status (*open)(void* context, const fv_cache_session_info* info, fv_cache_session** session, fv_cache_plan* plan,
                    fv_text* error);
  /* [one per session] As in the table of the strategy. */
  fv_status (*schedule)(void* context, fv_cache_session* session, const double* measurements,
                        fv_cache_decision* const* decisions, fv_text* error);
  fv_status (*decide)(void* context, fv_cache_session* session, const fv_cache_point* point, const double* measurements,
                      fv_cache_decision* decision, fv_text* error);
  fv_status (*observe)(void* context, fv_cache_session* session, const fv_cache_point* point,
                       const double* measurements, fv_text* error);
  void (*close)(void* context, fv_cache_session* session);
} fv_cache_service;

#ifdef __cplusplus
}
#endif
#endif
