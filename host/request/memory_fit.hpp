// Smaller requests that would fit into memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "host/config/settings.hpp"
#include "host/plugins/manifest.hpp"

namespace fastvideo::host {

/// Parameters of a request with other values.
using Changes = std::vector<std::pair<std::string, int64_t>>;
/// Whether the request with these changes fits. May throw RequestError: it is impossible.
using Fits = std::function<bool(const Changes&)>;

/// What would fit instead, as flags: "--num-frames 33" (the most frames of this size), "--height 240 --width 416" (the
/// same shape, smaller, as many frames), and if neither does, both. Of parameters that the pipeline has under the names
/// num_frames, height and width. Asks `fits` some dozens of times.
std::vector<std::string> smaller_requests(const Item& pipeline, const std::vector<ItemSetting>& parameters,
                                          const Fits& fits);

}  // namespace fastvideo::host
