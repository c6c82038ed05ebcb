// What the runtimes of a process share: CPU threads, folders of libraries, the log. The first one says what they are.
#pragma once

#include <vector>

#include "host/config/settings.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {

/// What the first runtime of the process has said, as given below all else; empty before it is open.
std::vector<Given> shared_settings();

/// Takes part in what is shared: the first caller says what it is, and a later one whose settings say something else is
/// refused with a RequestError that names the first one's value and source. Also a RequestError if the threads cannot
/// be started. The services live as long as the process, for plugins keep pointers to them; equal settings share them.
/// Takes turns.
const HostServices& join_process(const Settings& settings);

}  // namespace fastvideo::host
