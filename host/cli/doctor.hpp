// `fastvideo doctor`: what a bug report needs.
#pragma once

#include <string>
#include <vector>

#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// Versions, the machine, LibTorch, ffmpeg, plugins with their state, configuration files, settings that are not
/// defaults, and variables in force. What cannot be found out is said in its place; nothing is opened but the CUDA
/// driver and the system libraries that LibTorch needs. Any thread.
std::string doctor(const Settings& settings, const Schema& schema, const Catalog& catalog,
                   const std::vector<SearchFolder>& searched, const std::vector<std::filesystem::path>& config_files);

}  // namespace fastvideo::host
