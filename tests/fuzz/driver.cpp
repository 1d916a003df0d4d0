// Feeds a harness (LLVMFuzzerTestOneInput, so that libFuzzer can drive it as well) with mutations of the
// inputs that the harness names, the same ones each time. `fuzz_x [RUNS] [SEED]`; an input that breaks it is
// left in the current folder as `fuzz-input`. `fuzz_x --seeds FOLDER` writes down what it begins with.
#include <fcntl.h>
#include <unistd.h>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/harness.h"

namespace {

using Random = std::mt19937_64;

std::string current;

/// Only what may be called in a signal handler.
void keep_input(int) {
  const int fd = ::open("fuzz-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0 && ::write(fd, current.data(), current.size()) >= 0) ::close(fd);
  ::_exit(1);
}

std::size_t below(Random& random, std::size_t bound) {
  return bound == 0 ? 0 : random() % bound;
}

void mutate_once(std::string& input, const std::vector<std::string>& words, const std::string& other,
                 Random& random) {
  const std::size_t at = below(random, input.size() + 1);
  const std::size_t length = 1 + below(random, 8);
  switch (random() % 7) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(random());
      return;
    case 1:
      input.insert(at, words[below(random, words.size())]);
      return;
    case 2:
      if (at < input.size()) input.erase(at, length);
      return;
    case 3:
      input.insert(at, input.substr(below(random, input.size()), length * 4));
      return;
    case 4:
      input = input.substr(0, at) + other.substr(below(random, other.size()));
      return;
    case 5:
      input.insert(at, 1, static_cast<char>(random()));
      return;
    default:
      if (at < input.size()) input.replace(at, length, words[below(random, words.size())]);
  }
}

/// For libFuzzer: each seed a file, the words a dictionary.
int write_down(const std::string& folder) {
  const auto write = [](const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  };
  std::size_t number = 0;
  for (const std::string& seed : heddle::fuzz::seeds()) write(folder + "/seed-" + std::to_string(number++), seed);
  std::string dictionary;
  for (const std::string& word : heddle::fuzz::words()) {
    std::string line = "\"";
    for (const char byte : word) {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02X", static_cast<unsigned char>(byte));
      line += hex;
    }
    dictionary += line + "\"\n";
  }
  write(folder + ".dict", dictionary);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--seeds") return write_down(argv[2]);
  const long runs = argc > 1 ? std::atol(argv[1]) : 300'000;
  Random random(argc > 2 ? static_cast<std::uint64_t>(std::atol(argv[2])) : 1);
  std::signal(SIGABRT, keep_input);
  std::signal(SIGSEGV, keep_input);
  const std::vector<std::string> seeds = heddle::fuzz::seeds();
  const std::vector<std::string> words = heddle::fuzz::words();
  for (long run = 0; run < runs; ++run) {
    current = seeds[below(random, seeds.size())];
    const std::size_t mutations = random() % 6;
    for (std::size_t i = 0; i < mutations; ++i)
      mutate_once(current, words, seeds[below(random, seeds.size())], random);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
  }
  std::printf("%ld inputs\n", runs);
  return 0;
}
