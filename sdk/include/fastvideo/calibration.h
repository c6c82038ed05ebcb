/* fastvideo/calibration.h - items that measure their own data, driven by `fastvideo calibrate ITEM`.
 *
 * Some items need figures of the model that they work on: the polynomial of a caching strategy, the pattern of a sparse
 * attention. Such an item offers this table beside the table of its kind. The host runs a few prompts with the
 * calibration's stand-in in the place of the item: the stand-in computes everything exactly and measures. Then finish
 * gives the data as text, which the item reads back as a data file (docs/plugin_manifest.md, [[item.data]] with
 * `option`).
 *
 * docs/decisions/0006-calibration.md says why calibration is a table of its own.
 */
#ifndef FASTVIDEO_CALIBRATION_H_
#define FASTVIDEO_CALIBRATION_H_

#include "fastvideo/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The stand-in for the item during the runs of a calibration: the table of the item's kind (a const
 * fv_cache_interface*, a const fv_attention_interface*), and the object that this table takes where create would have
 * made one (an fv_cache_strategy*, an fv_attention*). The calibration owns the object: the host calls neither create
 * nor destroy of the table. */
typedef struct fv_calibration_stand_in {
  uint32_t struct_size;
  uint32_t reserved0;
  const void* table;
  void* object;
} fv_calibration_stand_in;

/* Receives the calibration data as UTF-8 text: TOML or JSON, whichever the item reads. */
typedef struct fv_calibration_writer {
  uint32_t struct_size;
  uint32_t reserved0;
  void* context;
  /* [one per calibration] The next bytes of the text; it need not end in NUL. A status other than FV_OK ends finish,
   * which returns that status. */
  fv_status (*write)(void* context, const char* text, uint64_t bytes);
} fv_calibration_writer;

typedef struct fv_calibration fv_calibration; /* owned by the plugin; one model, any number of runs */

/* The table, which an item of any kind may offer. */
#define FV_CALIBRATION_INTERFACE "fastvideo.calibration/1"
typedef struct fv_calibration_interface {
  uint32_t struct_size;
  uint32_t reserved0;
  /* [loader] options as in create of the item's own table. */
  fv_status (*create)(const fv_services* host, const fv_entry* options, uint32_t option_count,
                      fv_calibration** calibration, fv_text* error);
  /* [loader] After the last session or plan of the stand-in is closed. */
  void (*destroy)(fv_calibration* calibration);
  /* [loader] Fills table and object, which live until destroy; the same at every call. */
  fv_status (*stand_in)(fv_calibration* calibration, fv_calibration_stand_in* stand_in, fv_text* error);
  /* [one per calibration] Between runs only: the data of all runs so far. FV_REFUSED if the runs are too few, with the
   * number needed. */
  fv_status (*finish)(fv_calibration* calibration, const fv_calibration_writer* writer, fv_text* error);
} fv_calibration_interface;

#ifdef __cplusplus
}
#endif
#endif
