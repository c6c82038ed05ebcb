#include "host/cli/program.hpp"

int main(int argc, char** argv) { return fastvideo::program_main(argc, argv, fastvideo::start_tool); }
