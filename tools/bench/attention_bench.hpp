// `fastvideo bench attention`: installed backends on given shapes, side by side.
#pragma once

#include "tools/bench/command.hpp"

namespace fastvideo::host {

/// Times every backend on every shape through the ABI, on the device of [run] device, as ShapeBench does; also a large
/// matrix product, if one of the backends offers it. A backend that cannot serve a shape or fails gets a line with the
/// reason and no time. Throws RequestError for flags that are not understood, items or devices that do not exist, and
/// if no backend serves any shape; CancelledError. [one thread: the loader's]
BenchReport bench_attention(const AttentionBenchFlags& flags, const ResolveSettings& resolve, const Catalog& catalog,
                            const HostServices& host, const CancelToken& cancel);

}  // namespace fastvideo::host
