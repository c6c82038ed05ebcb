// A request to a Wan text-to-video model, typed and checked against the model's limits.
#pragma once

#include <cstdint>
#include <fastvideo/core.hpp>

#include "pipelines/common/request/video_request.hpp"

namespace fastvideo::wan {

/// A checked request.
struct Request : VideoRequest {
  int64_t max_sequence_length;  ///< tokens of a text that the transformer reads
};

/// Throws Refused, with the nearest possible values, for a request that is beyond the model's limits.
inline Request parse_request(const Options& parameters, const LatentGeometry& geometry) {
  return {parse_video_request(parameters, geometry), parameters.integer("max_sequence_length")};
}

}  // namespace fastvideo::wan
