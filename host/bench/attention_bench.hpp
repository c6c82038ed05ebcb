// `fastvideo bench attention`: installed backends on given shapes, side by side.
#pragma once

#include <string>
#include <vector>

#include "host/bench/command.hpp"

namespace fastvideo {

/// What the command line says, not yet understood.
struct AttentionBenchFlags {
  std::vector<std::string> shapes = {};    ///< --shape, as parse_attention_shape takes it
  std::vector<std::string> backends = {};  ///< --backends, lists with commas, as --attention of bench takes them
  std::string dtype = {};                  ///< --dtype; empty: float32
  std::string repeat = {};                 ///< --repeat; empty: 10
  std::string json = {};                   ///< --json: where to write, or empty
};

/// Runs every backend on every shape through the ABI, on the CPU: one untimed and `repeat` timed runs on up to three
/// sets of inputs in turn, the order of the backends reversed from run to run, the output poisoned before each and
/// compared with float64 at a sample of query rows after it. A backend that cannot serve a shape or fails gets a line
/// that says why, and no time. Throws RequestError for what is not understood or installed, a CUDA device, and if no
/// backend serves any shape;
/// CancelledError. [one thread: the loader's]
BenchReport bench_attention(const AttentionBenchFlags& flags, const ResolveSettings& resolve, const Catalog& catalog,
                            const HostServices& host, const CancelToken& cancel);

}  // namespace fastvideo
