// Models that were downloaded from the Hugging Face Hub, where its programs keep them. Nothing is downloaded here.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "host/config/settings.hpp"

namespace fastvideo::host {

/// Whether a text could name a repository: "owner/name" of letters, digits, '.', '_' and '-'.
bool is_repository_name(std::string_view text);

/// Where downloads lie: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or
/// ~/.cache/huggingface/hub, the first that is set, with ~ and $NAME expanded. As huggingface_hub finds it: a variable
/// that is set and empty counts.
std::filesystem::path hub_cache_folder(const Environment& environment = process_environment);

/// The folder of the repository's revision main in the cache, or of the only revision that is there. Throws
/// RequestError with the command that downloads the model if it is not there, or not completely.
std::filesystem::path downloaded_snapshot(const std::string& repository, const std::filesystem::path& cache);

}  // namespace fastvideo::host
