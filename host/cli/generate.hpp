// `fastvideo generate`: from the settings to a video.
#pragma once

#include <string>

#include "host/calls/cancel.hpp"
#include "host/cli/progress_bar.hpp"
#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {

/// Makes the video that the settings ask for, or one for each prompt of a file, and returns the summary for the user.
/// Whatever can be refused is refused before weights are read. Throws RequestError or Refused (impossible),
/// CancelledError saying how far it came, or std::runtime_error (failed); then what was at the output is still there.
/// [one thread: the loader's]
std::string generate(const Settings& settings, const Catalog& catalog, const HostServices& host, ProgressStyle style,
                     const CancelToken& cancel);

}  // namespace fastvideo::host
