// Every setting there is, as pages of text.
#pragma once

#include <string>

#include "host/config/schema.hpp"

namespace fastvideo::host {

/// A TOML file with every setting of the schema, its help, what it may be and its default, all commented out: as it is
/// it sets nothing. This is config/fastvideo.toml and `fastvideo --print-default-config`.
std::string default_config(const Schema& schema);

/// The same for readers, as Markdown: docs/configuration.md and `fastvideo --print-config-reference`.
std::string config_reference(const Schema& schema);

}  // namespace fastvideo::host
