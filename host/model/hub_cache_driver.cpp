// What hub_cache_parity.py drives: prints where models from the Hugging Face Hub lie by this process's variables.
#include <iostream>

#include "host/model/hub_cache.hpp"

int main() {
  std::cout << fastvideo::host::hub_cache_folder().string() << '\n';
  return 0;
}
