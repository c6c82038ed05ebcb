// `fastvideo bench`: from the flags to tables and files.
#pragma once

#include <string>

#include "tools/bench/bench.hpp"

namespace fastvideo::host {

/// The result of a measuring command, and whether everything could be measured.
struct BenchReport {
  std::string text;     ///< for standard output
  std::string failure;  ///< the message if something failed; else empty
};

/// Runs the bench that the flags ask for and writes the files that the flags name. Outputs are checked before the first
/// run. Throws as run_bench, bench_plan and VideoWriter do. [one thread: the loader's]
BenchReport bench(const BenchFlags& flags, const ResolveSettings& resolve, const Catalog& catalog,
                  const HostServices& host, const CancelToken& cancel);

}  // namespace fastvideo::host
