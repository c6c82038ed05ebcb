// Values as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "host/config/value.hpp"

namespace fastvideo::host {

/// The same value; an empty one is null. Tables keep their order.
nlohmann::ordered_json json_of(const Value& value);

}  // namespace fastvideo::host
