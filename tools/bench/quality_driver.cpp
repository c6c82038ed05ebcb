// For quality_parity.py: quality_driver A B FRAMES HEIGHT WIDTH, two files of raw RGB frames; prints mean squared
// error, PSNR and SSIM.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "tools/bench/quality.hpp"

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const auto read = [&](const char* name) {
    std::ifstream file(name, std::ios::binary);
    return std::vector<uint8_t>(std::istreambuf_iterator<char>(file), {});
  };
  const std::vector<uint8_t> a = read(argv[1]), b = read(argv[2]);
  const int frames = std::atoi(argv[3]), height = std::atoi(argv[4]), width = std::atoi(argv[5]);
  const fastvideo::host::FramesView va{a, frames, height, width}, vb{b, frames, height, width};
  const double error = fastvideo::host::mean_squared_error(va, vb);
  const auto similarity = fastvideo::host::ssim(va, vb);
  std::printf("%.17g %.17g %.17g\n", error, fastvideo::host::psnr(error), similarity ? *similarity : -2.0);
  return 0;
}
