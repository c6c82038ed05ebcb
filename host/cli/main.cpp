#include <cstdlib>

#include "host/cli/program.hpp"

namespace {

// The OpenMP threads that a framework brings spin for about a millisecond after each loop: on cores that others use
// too, that makes a run several times slower. libgomp reads this when it is loaded; what the user has set stays.
void let_idle_threads_sleep() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0);
}

}  // namespace

int main(int argc, char** argv) {
  let_idle_threads_sleep();
  return fastvideo::run_program({argv + (argc > 0 ? 1 : 0), argv + argc});
}
