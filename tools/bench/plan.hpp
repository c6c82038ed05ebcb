// The plan of `fastvideo bench`: named settings, and the prompts and seeds that every setting gets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/cli/tool_flags.hpp"
#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// One of the settings that are compared.
struct BenchSetting {
  std::string name;          ///< "TORCH_SDPA teacache:0.05"
  std::vector<Given> given;  ///< on top of the settings that all share
};

/// The settings, prompts, seeds and rounds of a bench.
struct BenchPlan {
  std::vector<BenchSetting> settings;
  size_t reference = 0;  ///< the exact run, with which the others are compared
  std::vector<std::string> prompts;
  std::vector<uint64_t> seeds;
  int64_t rounds = 3;
};

/// The plan that the flags ask for.
///
/// --attention takes backends as --attention-backend does, --cache strategies; every pair is a setting. Behind either
/// name may stand options, as in `teacache:threshold=0.05:use_ret_steps=true`; a number alone is the option
/// `threshold`. The exact run is the first backend without caching, and is added if `none` is not in the list.
///
/// A matrix file has an array of tables [[setting]], each with a `name` and any settings of [attention], [cache] and
/// [request]; and, if wanted, `reference` (a name; else the first), `prompts`, `seeds` and `repeat`.
///
/// `base`: the settings that all share. Throws RequestError: nothing to compare, a name or option that is not
/// installed, one setting twice, one setting asked for in two places, no prompt, a number out of range.
BenchPlan bench_plan(const BenchFlags& flags, const Settings& base, const Catalog& catalog);

/// Items of --cache or --attention: "teacache:0.05" gives the settings that it stands for. `kind` is "cache" or
/// "attention".
std::vector<Given> parse_choice(const std::string& word, const std::string& kind, const Catalog& catalog);

}  // namespace fastvideo::host
