// `fastvideo bench attention`: installed backends on given shapes, side by side.
#pragma once

#include "tools/bench/command.hpp"

namespace fastvideo::host {

/// Times every backend on every shape through the ABI, on the device that [run] device means, as ShapeBench does;
/// beside them a large matrix product, if one of the backends offers it. A backend that cannot serve a shape or fails
/// gets a line that says why, and no time. Throws RequestError for what is not understood, not installed or not there,
/// and if no backend serves any shape; CancelledError. [one thread: the loader's]
BenchReport bench_attention(const AttentionBenchFlags& flags, const ResolveSettings& resolve, const Catalog& catalog,
                            const HostServices& host, const CancelToken& cancel);

}  // namespace fastvideo::host
