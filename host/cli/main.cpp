#include "host/cli/program.hpp"

int main(int argc, char** argv) { return fastvideo::run_program({argv + (argc > 0 ? 1 : 0), argv + argc}); }
