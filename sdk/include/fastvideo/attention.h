/* fastvideo/attention.h - attention backends, and the service through which pipelines use them.
 *
 *   out = softmax(scale * q k^T + bias) v        (Vaswani et al. 2017, equation 1)
 *
 * A backend answers for sites, not for layers: a site is a role in a model with its shapes, and a model has a handful
 * of sites. The backend makes one plan for each site that it supports, and a plan runs many times.
 */
#ifndef FASTVIDEO_ATTENTION_H_
#define FASTVIDEO_ATTENTION_H_

#include "fastvideo/abi.h"
#include "fastvideo/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Roles. The set grows; an unknown role is not supported. */
#define FV_ROLE_DIT_SELF "dit.self"     /* video tokens among themselves */
#define FV_ROLE_DIT_CROSS "dit.cross"   /* video tokens to text (or image) tokens */
#define FV_ROLE_DIT_JOINT "dit.joint"   /* video and text tokens in one sequence */
#define FV_ROLE_TEXT_SELF "text.self"   /* text encoder */
#define FV_ROLE_IMAGE_SELF "image.self" /* image encoder */
#define FV_ROLE_VAE_MID "vae.mid"       /* middle block of a VAE, over the pixels of a frame */

/* What may stand between a query and a key. A site has a set of masks, of BOOLEAN and BIAS at most one; a query sees
 * the keys that all of them let it see. A query that sees no key has the sum over no keys: out is 0, and log-sum-exp is
 * minus infinity. */
enum {
  FV_MASK_CAUSAL = 1u << 0, /* query i sees keys 0 to i, whatever the lengths are (aligned at the first of both) */
  FV_MASK_FRAME_CAUSAL = 1u << 1, /* a query sees its own and earlier frames of the grid, which holds all tokens */
  FV_MASK_KEY_LENGTHS = 1u << 2,  /* args.key_lengths: of row b, keys from key_lengths[b] on are not seen */
  FV_MASK_BOOLEAN = 1u << 3,      /* args.mask, bool, true = may be seen */
  FV_MASK_BIAS = 1u << 4,         /* args.mask, float32 or the site's type, added to scores; -infinity hides a key */
};

/* What a site requires beyond the masks. A backend refuses bits that it does not know. */
enum {
  FV_REQUIRE_LOG_SUM_EXP = 1u << 0, /* args.log_sum_exp is given */
  FV_REQUIRE_CAPTURE = 1u << 1,     /* run is captured in a CUDA graph */
};

/* How a backend's results relate to the formula. Selection filters by this value and never ranks by it. */
enum {
  FV_NUMERICS_EXACT = 0,       /* the formula, in the order of the plain definition */
  FV_NUMERICS_REORDERED = 1,   /* another order of summation */
  FV_NUMERICS_APPROXIMATE = 2, /* skips or quantises */
};

/* What a run depends on beyond its tensors. A captured run is replayed for another step only if STEP is not set. */
enum { FV_DEPENDS_STEP = 1u << 0, FV_DEPENDS_LAYER = 1u << 1, FV_DEPENDS_BRANCH = 1u << 2 };

/* A role with its shapes. */
typedef struct fv_attention_site {
  uint32_t struct_size;
  uint32_t masks;   /* FV_MASK_* */
  uint64_t require; /* FV_REQUIRE_* */
  const char* role;
  fv_device device;
  fv_dtype dtype;       /* of q, k, v and out */
  int32_t head_size;    /* D */
  int32_t query_heads;  /* in this process; a multiple of kv_heads */
  int32_t kv_heads;     /* in this process */
  int32_t total_heads;  /* query heads of the model, all processes together */
  int32_t layers;       /* layers of this role in the model */
  int64_t batch;        /* rows at most; a run may have fewer */
  int64_t query_length; /* tokens at most; a run may have fewer where the grid is absent */
  int64_t key_length;
  double scale;          /* finite and above 0 */
  int64_t grid[3];       /* video tokens as (t, h, w), w fastest; zeros if the tokens are no grid */
  int64_t tokens_before; /* tokens of the sequence before the grid's, and after them */
  int64_t tokens_after;
  const char* const* inputs; /* names of further inputs (a gate, a text length); no pipeline offers any yet */
  uint32_t input_count;
  uint32_t reserved0;
  /* Appended. */
  int32_t steps; /* args.steps of all calls inside the denoising loop; 0 = not known */
  uint32_t reserved1;
} fv_attention_site;

/* Whether a backend supports a site. */
typedef struct fv_attention_support {
  uint32_t struct_size;
  uint32_t supported; /* 0 or 1 */
  uint32_t numerics;  /* FV_NUMERICS_* */
  uint32_t reserved0;
  double score;   /* estimated microseconds of one run at this site's full shape; 0 = no estimate */
  fv_text reason; /* the caller's buffer: why not, or which kernel will run ("cuDNN") */
} fv_attention_support;

/* The memory and the token order that a plan needs. Filled by plan; pointers live until the plan is destroyed. */
typedef struct fv_attention_plan_info {
  uint32_t struct_size;
  uint32_t numerics;       /* FV_NUMERICS_* */
  uint32_t depends;        /* FV_DEPENDS_* */
  uint32_t can_capture;    /* 1: run may be captured in a CUDA graph */
  uint64_t resident_bytes; /* device memory of this plan alone, filled by prepare; runs may write to it */
  uint64_t scratch_bytes;  /* device memory during run, shared by the plans of a stream: no data survive a run */
  /* Order in which the plan wants the grid's tokens: NULL = right in any; otherwise position -> raster index, a
   * bijection of token_count = t*h*w numbers. A plan that computes CAUSAL or FRAME_CAUSAL by position asks for the
   * raster order, the identity. The pipeline permutes once per forward pass; queries, keys, masks and out are then in
   * that order. */
  const int64_t* token_order;
  int64_t token_count;
  const char* kernel; /* the kernel that will run, for the log ("cudnn", "flash_attention_2"); may be NULL */
} fv_attention_plan_info;

/* One call of attention. Lengths and batch are at most those of the site; shapes agree with each other. */
typedef struct fv_attention_args {
  uint32_t struct_size;
  uint32_t reserved0;
  const fv_tensor* q;             /* [B, Lq, H, D] */
  const fv_tensor* k;             /* [B, Lk, Hkv, D] */
  const fv_tensor* v;             /* [B, Lk, Hkv, D] */
  const fv_tensor* out;           /* [B, Lq, H, D], written whole */
  const fv_tensor* mask;          /* NULL, or 4-dimensional and broadcastable to [B, H, Lq, Lk] */
  const fv_tensor* key_lengths;   /* NULL, or int32 [B] on the site's device, each from 0 to Lk */
  const fv_tensor* log_sum_exp;   /* NULL, or float32 [B, H, Lq], natural logarithm, written whole */
  const fv_tensor* const* inputs; /* further inputs, as the site names them */
  void* scratch;                  /* scratch_bytes of the plan, 256-byte aligned */
  void* stream;
  int32_t step;            /* denoising step, from 0; -1 outside the loop */
  int32_t steps;           /* of the loop; 0 outside it */
  double sigma;            /* noise level of the step, 1 (noise) to 0; 0 outside the loop */
  int32_t layer;           /* among the layers of this role */
  int32_t expert;          /* which of the model's transformers calls, from 0 */
  const int32_t* branches; /* host memory, B numbers: 0 conditional, 1 unconditional, ...; NULL = all 0 */
  int32_t first_head;      /* number of the first head of this process in the model */
  int32_t reserved1;
} fv_attention_args;

typedef struct fv_attention fv_attention;           /* a backend, owned by the plugin */
typedef struct fv_attention_plan fv_attention_plan; /* a plan, owned by the plugin */

/* The table of an attention backend. */
#define FV_ATTENTION_INTERFACE "fastvideo.attention/1"
typedef struct fv_attention_interface {
  uint32_t struct_size;
  uint32_t reserved0;
  /* [loader] options: every option of the manifest, checked and completed by the host. */
  fv_status (*create)(const fv_services* host, const fv_entry* options, uint32_t option_count, fv_attention** backend,
                      fv_text* error);
  /* [loader] All plans of the backend are destroyed before it. */
  void (*destroy)(fv_attention* backend);
  /* [any] A pure function of backend and site: no device work, no waiting. "No" is FV_OK with supported = 0 and a
   * reason; a status other than FV_OK means that the question itself failed. */
  fv_status (*supports)(fv_attention* backend, const fv_attention_site* site, fv_attention_support* support,
                        fv_text* error);
  /* [one per backend] May take time and wait. The site is borrowed for the call. */
  fv_status (*plan)(fv_attention* backend, const fv_attention_site* site, fv_attention_plan** plan,
                    fv_attention_plan_info* info, fv_text* error);
  /* [one per plan] Called before the first run with resident_bytes of device memory at resident, 256-byte aligned,
   * which stay until the plan is destroyed; may upload and wait. NULL in the table: nothing to prepare. */
  fv_status (*prepare)(fv_attention_plan* plan, void* resident, void* stream, fv_text* error);
  /* [one per plan] Enqueues the work on args->stream, one stream for all runs of a plan, and returns: no waiting, no
   * allocation but by a framework. */
  fv_status (*run)(fv_attention_plan* plan, const fv_attention_args* args, fv_text* error);
  /* [one per plan] Called when the stream has passed the plan's last run. */
  void (*destroy_plan)(fv_attention_plan* plan);
} fv_attention_interface;

/* The backend and plan that the host chose for one site of a run. Lives until the session is closed. */
typedef struct fv_attention_binding {
  uint32_t struct_size;
  uint32_t reserved0;
  const char* backend;                /* "TORCH_SDPA/torch" */
  const fv_attention_plan_info* info; /* of the plan */
  void* handle;                       /* for the host alone */
} fv_attention_binding;

typedef struct fv_attention_session fv_attention_session; /* owned by the host */

/* How a pipeline uses attention: it never opens a backend by itself. A service of a run. */
#define FV_ATTENTION_SERVICE "fastvideo.attention_service/1"
typedef struct fv_attention_service {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* [one per run] Picks a backend for each site and makes its plan. bindings receives count pointers. token_order
   * receives the one order that all dit.self and dit.joint plans agree on (NULL = raster) and token_count its length;
   * the order lives until close. FV_REFUSED, with the table of candidates, if a site cannot be served as configured. */
  fv_status (*open)(void* context, const fv_attention_site* const* sites, uint32_t count,
                    const fv_attention_binding** bindings, const int64_t** token_order, int64_t* token_count,
                    fv_attention_session** session, fv_text* error);
  /* [one per session] As in the table of the backend. */
  fv_status (*prepare)(void* context, const fv_attention_binding* binding, void* resident, void* stream,
                       fv_text* error);
  fv_status (*run)(void* context, const fv_attention_binding* binding, const fv_attention_args* args, fv_text* error);
  void (*close)(void* context, fv_attention_session* session);
} fv_attention_service;

#ifdef __cplusplus
}
#endif
#endif
