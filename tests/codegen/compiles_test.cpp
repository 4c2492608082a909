// Every source emitted at original shapes compiles for the device it is meant for, and keeps what
// it holds in registers.

#include <gtest/gtest.h>

#include "tasks.h"
#include "vm_scene.h"

namespace kw::codegen {
namespace {

TEST(Compiles, EverySourceOfAnOriginalTask) {
  if (!testing_vm::compiler().info()) GTEST_SKIP() << "no NVRTC here";
  for (const auto& [name, task, small] : testing_tasks::sampled_tasks()) {
    if (small) continue;
    const auto candidates = generate(task, testing_tasks::h100(), 3);
    ASSERT_TRUE(candidates) << name << ": " << candidates.error().message;
    for (const Candidate& candidate : *candidates) {
      const auto compiled = testing_vm::compiler().compile({candidate.source, "sm_90", {}}, {});
      ASSERT_TRUE(compiled) << compiled.error().message;
      if (const auto* failed = std::get_if<CompileFailure>(&*compiled)) {
        ADD_FAILURE() << name << " " << candidate.cover << ": "
                      << (failed->diagnostics.empty() ? "" : failed->diagnostics.front().text);
        continue;
      }
      const bool ours = candidate.cover.find("contraction") == std::string::npos &&
                        candidate.cover.find("fallback") == std::string::npos;
      for (const auto& [kernel, used] : std::get<CompiledModule>(*compiled).kernels) {
        if (!ours) continue;
        EXPECT_EQ(used.local_bytes, 0) << name << " " << candidate.cover << " " << kernel;
      }
    }
  }
}

}  // namespace
}  // namespace kw::codegen
