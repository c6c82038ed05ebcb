#include "host/cli/program.hpp"

int main(int argc, char** argv) { return fastvideo::host::program_main(argc, argv, fastvideo::host::start_tool); }
