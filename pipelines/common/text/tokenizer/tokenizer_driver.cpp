// The driver of the parity test: one JSON text a line on standard input, one JSON answer a line on standard output. Run
// as: tokenizer_driver clean | tokenizer_driver encode|encode-backend FOLDER MAX_LENGTH
#include <fastvideo/core.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "pipelines/common/text/tokenizer/clean_prompt.hpp"
#include "pipelines/common/text/tokenizer/tokenizer.hpp"

int main(int argc, char** argv) {
  using fastvideo::Tokenizer;
  using nlohmann::json;
  try {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode != "clean" && ((mode != "encode" && mode != "encode-backend") || argc != 4))
      throw fastvideo::Refused("clean, or encode FOLDER LENGTH");
    if (mode == "clean") {
      for (std::string line; std::getline(std::cin, line);)
        std::cout << json(fastvideo::clean_prompt(json::parse(line).get<std::string>())) << '\n';
      return 0;
    }
    const Tokenizer tokenizer =
        Tokenizer::open(argv[2], mode == "encode" ? fastvideo::TokenizerClass::t5 : fastvideo::TokenizerClass::backend);
    const int64_t max_length = std::stoll(argv[3]);
    for (std::string line; std::getline(std::cin, line);)
      std::cout << json(tokenizer.encode(json::parse(line).get<std::string>(), max_length)) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
