// What the generator writes for every built-in task, as digests: equal on two machines and in two
// runs when generation is deterministic.
//
//   generation_digest [--arch sm_90a] [--sms 132] [--templates 3]
//
// One line a task (candidates' ids, hashed), then one over all, then the time of it.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "kw/bench/tasks.h"
#include "kw/codegen/generator.h"
#include "kw/core/keys.h"
#include "kw/core/sha256.h"

int main(int count, char** values) {
  std::string arch = "sm_90a";
  int sms = 132, templates = 3;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = values[i];
    if (name == "--arch") arch = values[i + 1];
    if (name == "--sms") sms = std::atoi(values[i + 1]);
    if (name == "--templates") templates = std::atoi(values[i + 1]);
  }
  kw::codegen::Target target;
  target.arch = arch;
  target.sm_count = sms;
  const auto begun = std::chrono::steady_clock::now();
  std::string all;
  std::size_t tasks = 0, candidates = 0;
  for (const std::string& name : kw::bench::builtin_task_names()) {
    auto task = kw::bench::find_task(name);
    if (!task) continue;
    const auto made = kw::codegen::generate(*task, target, templates);
    std::string text = made ? "" : made.error().message;
    if (made) {
      for (const kw::Candidate& candidate : *made) text += kw::candidate_id(candidate) + "\n";
      candidates += made->size();
    }
    const std::string digest = kw::sha256_hex(text);
    std::printf("%s %s\n", name.c_str(), digest.c_str());
    all += digest;
    ++tasks;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("all %s\n", kw::sha256_hex(all).c_str());
  std::fprintf(stderr, "%zu tasks, %zu candidates, %.2f s\n", tasks, candidates, seconds);
}
