// Runs every file of a corpus, and mutations of each, through a fuzz target: what a fuzzer once
// found stays found.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

std::vector<std::string> corpus() {
  std::vector<std::string> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(KW_CORPUS)) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    inputs.push_back(text.str());
  }
  return inputs;
}

void run(const std::string& text) {
  EXPECT_EQ(
      LLVMFuzzerTestOneInput(reinterpret_cast<const unsigned char*>(text.data()), text.size()), 0);
}

TEST(Corpus, EveryInputIsAcceptedOrRefused) {
  const auto inputs = corpus();
  ASSERT_FALSE(inputs.empty());
  for (const std::string& input : inputs) run(input);
}

TEST(Corpus, CutAndFlippedInputsAreAcceptedOrRefused) {
  unsigned state = 12345;
  const auto next = [&state] { return state = state * 1664525u + 1013904223u; };
  for (const std::string& input : corpus()) {
    for (int round = 0; round < 40 && !input.empty(); ++round) {
      std::string mutated = input;
      mutated[next() % mutated.size()] = static_cast<char>(next() >> 24);
      run(mutated);
      run(input.substr(0, next() % input.size()));
    }
  }
}

}  // namespace
