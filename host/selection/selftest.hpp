// The small numerical test that an attention backend passes on its device before it is used.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "host/plugins/limits.hpp"
#include "host/selection/open_backends.hpp"
#include "sdk/testing/device_memory.hpp"

namespace fastvideo::host {

/// What the test found.
struct SelfTest {
  enum class Outcome { passed, failed, not_run };
  Outcome outcome = Outcome::not_run;
  std::string text;    ///< "relative error 3.2e-07 against float64 (at most 2.1e-05), 4 ms"; why it failed; why not run
  double error = 0;    ///< relative L2 norm; 0 unless it was measured
  double largest = 0;  ///< relative error that would have passed
};

/// Tries backends on small problems like the sites that they are to serve: role, type, head size, masks and scale of
/// the site, few heads and tokens. Exact and reordered backends must be as near to the formula in float64 as roundings
/// of the type are; approximate ones within 0.15 where each query has one key with all the weight, which no useful
/// approximation misses. A backend that declines every small problem is not tried. [one thread: the loader's]
class SelfTests {
 public:
  explicit SelfTests(DeviceFacts device) : device_(device) {}

  /// The test of a backend at a site; remembered for sites with the same small problem. Takes milliseconds. Never
  /// throws for what a backend does.
  const SelfTest& of(const Item& item, const OpenBackend& backend, const fv_attention_site& site);

 private:
  testing::DeviceMemory& memory();

  DeviceFacts device_;
  std::unique_ptr<testing::DeviceMemory> memory_;  // made at the first test
  std::map<std::string, SelfTest> done_;
};

}  // namespace fastvideo::host
