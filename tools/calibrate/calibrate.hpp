// `fastvideo calibrate`: an item measures its data on a model.
#pragma once

#include <string>

#include "host/calls/cancel.hpp"
#include "host/cli/progress_bar.hpp"
#include "host/cli/tool.hpp"
#include "host/cli/tool_flags.hpp"
#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {

/// Runs every prompt with the item's calibration in its place, seed after seed (from --seed on, else from 0), drops the
/// frames, writes the item's data file and returns the message for the user. The file appears, or is replaced, only
/// after all runs. Throws RequestError (impossible), CancelledError, or std::runtime_error. [one thread: the loader's]
std::string calibrate(const CalibrateFlags& flags, const ResolveSettings& resolve, const Catalog& catalog,
                      const HostServices& host, ProgressStyle style, const CancelToken& cancel);

}  // namespace fastvideo::host
