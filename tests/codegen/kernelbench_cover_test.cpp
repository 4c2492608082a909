// Every exported task of kernelbench/tasks becomes candidates: no operator is missing, sources stay
// small, and the same task gives the same bytes. KW_TASKS names another folder of tasks to try.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kw/codegen/generator.h"

namespace kw::codegen {
namespace {

std::vector<std::filesystem::path> task_files() {
  const char* folder = std::getenv("KW_TASKS");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(
           folder != nullptr ? folder : KW_SOURCE_DIR "/kernelbench/tasks")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(KernelBenchCover, EveryTaskBecomesCandidates) {
  for (const auto& path : task_files()) {
    const auto task = parse_task(contents(path));
    ASSERT_TRUE(task) << path << ": " << task.error().message;
    const auto begin = std::chrono::steady_clock::now();
    const auto candidates = generate(*task, virtual_machine_target(), 2);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (!candidates) {
      ADD_FAILURE() << path.stem() << ": " << candidates.error().message;
      continue;
    }
    std::printf("%-24s %4zu nodes %7.2f s", path.stem().c_str(), task->graph.nodes.size(),
                took.count());
    for (const Candidate& c : *candidates) {
      std::printf("  %5zu KB %4zu launches", c.source.size() >> 10, c.plan.run.size());
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

TEST(KernelBenchCover, TheSameTaskGivesTheSameBytes) {
  const auto files = task_files();
  for (std::size_t i = 0; i < files.size(); i += 1 + files.size() / 16) {
    const auto task = parse_task(contents(files[i]));
    ASSERT_TRUE(task);
    const auto once = generate(*task, virtual_machine_target(), 2);
    const auto again = generate(*task, virtual_machine_target(), 2);
    ASSERT_EQ(once.has_value(), again.has_value());
    if (!once) continue;
    ASSERT_EQ(once->size(), again->size());
    for (std::size_t c = 0; c < once->size(); ++c) {
      EXPECT_EQ(to_json((*once)[c]), to_json((*again)[c])) << files[i];
    }
  }
}

/// Of all candidates of every n-th task, by FNV-1a.
std::uint64_t digest_of_tasks() {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  const auto files = task_files();
  for (std::size_t i = 0; i < files.size(); i += 1 + files.size() / 12) {
    const auto task = parse_task(contents(files[i]));
    const auto candidates = generate(*task, virtual_machine_target(), 3);
    if (!candidates) continue;
    for (const Candidate& c : *candidates) {
      for (const char letter : to_json(c)) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3ull;
      }
    }
  }
  return hash;
}

TEST(KernelBenchCover, AnotherProcessGivesTheSameBytes) {
  const std::string own = fmt::format("digest {:016x}", digest_of_tasks());
  if (std::getenv("KW_DIGEST") != nullptr) {  // the other process
    std::printf("%s\n", own.c_str());
    return;
  }
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string command =
      "KW_DIGEST=1 '" + self + "' --gtest_filter=KernelBenchCover.AnotherProcess*";
  std::FILE* other = popen(command.c_str(), "r");
  ASSERT_NE(other, nullptr);
  std::string said;
  char part[256];
  while (std::fgets(part, sizeof part, other) != nullptr) said += part;
  EXPECT_EQ(pclose(other), 0);
  EXPECT_NE(said.find(own), std::string::npos) << own << "\n" << said;
}

}  // namespace
}  // namespace kw::codegen
