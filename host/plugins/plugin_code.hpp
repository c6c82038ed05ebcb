// Comparing what a plugin's code says of itself with its manifest.
#pragma once

#include <fastvideo/abi.h>

#include <cstddef>
#include <initializer_list>
#include <string>

#include "host/plugins/catalog.hpp"

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

/// A function of a table that its first revision has, with its place in the struct.
struct TableFunction {
  const char* name;
  size_t offset;
};

/// A table that an item may offer beside that of its kind, with every one of these functions. nullptr, or if it is
/// required a RequestError, if the item's code offers none; RequestError if it is incomplete.
const void* further_table(const fv_item* code, const Item& item, const char* id, size_t bytes,
                          std::initializer_list<TableFunction> functions, bool is_required = false);

}  // namespace fastvideo::host
