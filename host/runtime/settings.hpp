// Settings of an embedder as settings that somebody gave.
#pragma once

#include <fastvideo/runtime.h>

#include <vector>

#include "host/config/settings.hpp"

namespace fastvideo::host {

/// Whose settings they are, which decides what they may say and how they rank.
enum class Scope {
  runtime,  ///< of all requests; also what belongs to runtime and process
  model,    ///< of all requests to a model
  request,  ///< of one: each must have an effect
};

/// Throws InvalidCall for a NULL or an unknown type; RequestError for a setting of another scope, and for the files
/// that `fastvideo generate` writes, which no library does.
std::vector<Given> read_settings(const fvr_setting* settings, uint32_t count, Scope scope);

}  // namespace fastvideo::host
