// Which caching strategy was asked for, by whom, and what that overrides.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"
#include "host/plugins/limits.hpp"

namespace fastvideo::host {

/// A strategy's option of this name stands for choosing it: `--enable-teacache` for `[cache] strategy = "teacache"`.
inline constexpr std::string_view kEnableOption = "enable";

/// What was asked for.
struct CacheRequest {
  struct Overridden {
    std::string name;
    Source source;
  };
  std::string name;  ///< "teacache", "teacache/policy" or "none", as it was spelled
  Source source;
  std::vector<Overridden> overridden;

  bool is_none() const;
};

/// The request that counts: [cache] strategy, or a strategy's own `enable`, whichever source is higher. `enable =
/// false` takes back what chose that strategy in its own or a lower source. Throws RequestError if one source asks for
/// two strategies.
CacheRequest cache_request(const Settings& settings, const Catalog& catalog);

/// The item that the request means, nullptr for none. Throws RequestError, with the nearest name and a table of what is
/// installed and why not, if it is unknown or cannot serve the device.
const CatalogItem* chosen_cache_strategy(const CacheRequest& request, const Catalog& catalog,
                                         const DeviceFacts& device);

}  // namespace fastvideo::host
