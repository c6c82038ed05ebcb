// What the command line says to the tools, not yet understood.
#pragma once

#include <string>
#include <vector>

namespace fastvideo::host {

/// `fastvideo bench`.
struct BenchFlags {
  std::vector<std::string> attention = {};  ///< --attention, each a list with commas
  std::vector<std::string> cache = {};      ///< --cache, likewise
  std::string matrix = {};                  ///< --matrix: a TOML file in place of the two
  std::string prompt_file = {};             ///< --prompt-file: one prompt a line
  std::vector<std::string> seeds = {};      ///< --seeds, a list with commas
  std::string repeat = {};                  ///< --repeat; empty: 3
  std::string json = {};                    ///< --json: where to write, or empty; so are the next two
  std::string plot = {};
  std::string side_by_side = {};
};

/// `fastvideo bench attention`.
struct AttentionBenchFlags {
  std::vector<std::string> shapes = {};    ///< --shape, as parse_attention_shape takes it
  std::vector<std::string> backends = {};  ///< --backends, lists with commas, as --attention of bench takes them
  std::string dtype = {};                  ///< --dtype; empty: float32 on the CPU, bfloat16 on CUDA
  std::string repeat = {};                 ///< --repeat; empty: 10
  std::string json = {};                   ///< --json: where to write, or empty
};

/// `fastvideo calibrate`, beside the settings that generate has too.
struct CalibrateFlags {
  std::string item;                  ///< public name, NAME/implementation
  std::vector<std::string> prompts;  ///< --prompt, each
  std::string prompt_file;           ///< --prompt-file, or empty
  std::string output;                ///< --output, or empty
};

/// `fastvideo plugins check`.
struct CheckFlags {
  std::string folder;        ///< that holds the plugin.toml
  double deadline = 120;     ///< seconds for each item
  int item = -1;             ///< this one alone, in this process; -1: all of them, each in a child process
  bool for_program = false;  ///< tell of it as the parent process reads it
};

}  // namespace fastvideo::host
