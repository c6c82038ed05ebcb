// Runs a libFuzzer target without libFuzzer: every file of a folder, then mutations of them from a fixed seed. The same
// arguments do the same on every machine. An input that crashes is written to crash.bin.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::string current;

// Called in a process that is about to die: only write(2) is safe.
extern "C" void save_input(int number) {
  const int file = ::open("crash.bin", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const char text[] = "the input is in crash.bin\n";
  if (file < 0 || ::write(file, current.data(), current.size()) < 0 || ::write(2, text, sizeof text - 1) < 0) {
    ::_exit(3);
  }
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void run(const std::string& input) {
  current = input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current.data()), current.size());
}

// One input of a pack: its length as a line of text, then its bytes.
std::string next_of_pack(std::istream& stream, const std::filesystem::path& file) {
  std::string line;
  std::getline(stream, line);
  std::string input(std::strtoul(line.c_str(), nullptr, 10), '\0');
  if (!stream.read(input.data(), static_cast<std::streamsize>(input.size()))) {
    std::fprintf(stderr, "%s is damaged\n", file.c_str());
    std::exit(2);
  }
  return input;
}

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (file.extension() == ".pack")  // of pack.py: what libFuzzer found
      while (stream.peek() != std::ifstream::traits_type::eof()) corpus.push_back(next_of_pack(stream, file));
    else
      corpus.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// What parsers trip over: ends of ranges, and the signs that open, close and escape.
const std::vector<std::string> kTokens = {"0",
                                          "-1",
                                          "1e999",
                                          "-0.0",
                                          "nan",
                                          "inf",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "\"",
                                          "'",
                                          "\"\"\"",
                                          "[",
                                          "]",
                                          "[[",
                                          "]]",
                                          "{",
                                          "}",
                                          "{}",
                                          "[]",
                                          ",",
                                          ":",
                                          "=",
                                          ".",
                                          "#",
                                          "\n",
                                          "\r\n",
                                          "\t",
                                          "\\",
                                          "\\u0000",
                                          "\\ud800",
                                          "\xff",
                                          "\xc0\x80",
                                          std::string(1, '\0'),
                                          "true",
                                          "null",
                                          "1979-05-27",
                                          "0x7f",
                                          "1_000"};

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string next() {
    std::string input = corpus_[below(corpus_.size())];
    for (size_t edits = 1 + below(6); edits > 0; --edits) edit(input);
    if (below(1000) == 0) grow(input);
    return input;
  }

 private:
  size_t below(size_t end) { return end == 0 ? 0 : static_cast<size_t>(random_() % end); }

  // A part of it again and again, up to a megabyte: what takes time that grows with the square is seen.
  void grow(std::string& input) {
    constexpr size_t most = size_t{1} << 20;
    const size_t at = below(input.size() + 1);
    std::string part = input.substr(at, 1 + below(40));
    if (part.empty()) part = kTokens[below(kTokens.size())];
    const size_t size = most >> below(8);
    std::string grown = input.substr(0, at);
    while (grown.size() + part.size() + (input.size() - at) <= size) grown += part;
    input = grown + input.substr(at);
  }

  void edit(std::string& input) {
    const size_t at = below(input.size() + 1), length = below(std::min<size_t>(input.size() - at, 40) + 1);
    const std::string& other = corpus_[below(corpus_.size())];
    switch (below(7)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << below(8));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(below(256));
        break;
      case 2:
        input.erase(at, length);
        break;
      case 3:
        input.insert(at, input.substr(at, length));
        break;
      case 4:
        input.insert(at, kTokens[below(kTokens.size())]);
        break;
      case 5:
        input.replace(at, length, kTokens[below(kTokens.size())]);
        break;
      default:
        input = input.substr(0, at) + other.substr(below(other.size() + 1));
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s FOLDER SECONDS|COUNTx (as in 20000x)\n", argv[0]);
    return 2;
  }
  for (const int number : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL}) std::signal(number, save_input);
  const std::vector<std::string> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s is empty\n", argv[1]);
    return 2;
  }
  for (const std::string& input : corpus) run(input);
  const std::string limit = argv[2];
  const bool by_count = limit.ends_with('x');
  const double most = std::atof(limit.c_str());
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  Mutator mutator(corpus);
  size_t count = 0;
  for (; by_count ? static_cast<double>(count) < most : seconds() < most; ++count) run(mutator.next());
  std::printf("%zu inputs, %zu mutations, %.1f s\n", corpus.size(), count, seconds());
  return 0;
}
