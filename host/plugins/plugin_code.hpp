// Comparing what a plugin's code says of itself with its manifest.
#pragma once

#include <fastvideo/abi.h>
#include <fastvideo/calibration.h>
#include <fastvideo/early_signals.h>
#include <fastvideo/matrix_product.h>

#include <string>

#include "host/plugins/catalog.hpp"
#include "host/plugins/preflight.hpp"

namespace fastvideo::host {

/// Before opening: the file exports fastvideo_plugin and nothing else, and uses no framework that the manifest does not
/// name. Throws RequestError, which begins with the file.
void check_library_file(const Item& item);

/// After opening: ABI, id, version and items are those of the manifest. `file` is the library. Throws RequestError.
void check_plugin_code(const fv_plugin* code, const Manifest& manifest, const std::filesystem::path& file);

/// What the code says of an item of the manifest; it is there once check_plugin_code has passed.
const fv_item* find_item_code(const fv_plugin* code, const Item& item);

/// The table of the item's kind with every function that its revision requires. Throws RequestError.
const void* required_table(const fv_item* code, const Item& item);

/// Throws RequestError, which begins with `who`, unless `table` is one of the item's kind with every function that its
/// revision requires.
void check_kind_table(const void* table, const Item& item, const std::string& who);

/// The item's calibration, complete. Throws RequestError if its code offers none.
const fv_calibration_interface* calibration_table(const fv_item* code, const Item& item);

/// The item's matrix product, complete; nullptr if its code offers none. Throws RequestError if it is incomplete.
const fv_matrix_product_interface* matrix_product_table(const fv_item* code, const Item& item);

/// The pipeline's early signals, complete; nullptr if its code offers none. Throws RequestError if it is incomplete.
const fv_early_signals_interface* early_signals_table(const fv_item* code, const Item& item);

}  // namespace fastvideo::host
