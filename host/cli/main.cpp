#include "host/cli/program.hpp"
#include "host/process/idle_threads.hpp"
#include "host/process/process_start.hpp"

int main(int argc, char** argv) {
  fastvideo::prepare_process();
  fastvideo::let_idle_threads_sleep();
  return fastvideo::run_program({argv + (argc > 0 ? 1 : 0), argv + argc}, fastvideo::start_tool);
}
