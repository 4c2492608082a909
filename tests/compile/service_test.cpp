#include "kw/compile/service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

namespace {

using namespace kw;
using namespace std::chrono_literals;

class MapCache final : public CompileCache {
 public:
  std::optional<CompileResult> get(const std::string& key) override {
    const std::scoped_lock lock(mutex_);
    const auto found = map_.find(key);
    return found == map_.end() ? std::nullopt : std::optional(found->second);
  }
  void put(const std::string& key, const CompileResult& result) override {
    const std::scoped_lock lock(mutex_);
    map_.insert_or_assign(key, result);
  }
  std::size_t size() {
    const std::scoped_lock lock(mutex_);
    return map_.size();
  }

 private:
  std::mutex mutex_;
  std::map<std::string, CompileResult> map_;
};

/// One warm service for the whole program.
compile::CompileService* service() {
  static MapCache cache;
  static compile::CompileService instance({.processes = 2, .cache = &cache});
  static const auto info = instance.info();
  return info ? &instance : nullptr;
}

class Service : public testing::Test {
 protected:
  void SetUp() override {
    if (service() == nullptr) GTEST_SKIP() << "no NVRTC here";
  }
  static CompileResult compile(std::string source, std::string arch = "sm_80",
                               std::vector<std::string> defines = {}) {
    return service()->compile({std::move(source), std::move(arch), std::move(defines)}, {}).value();
  }
  static CompileFailure failure(std::string source) {
    auto result = compile(std::move(source));
    EXPECT_TRUE(std::holds_alternative<CompileFailure>(result));
    auto* failed = std::get_if<CompileFailure>(&result);
    return failed != nullptr ? *failed : CompileFailure{};
  }
};

constexpr const char* kAdd =
    "extern \"C\" __global__ void add(const float* a, float* b, int n) {\n"
    "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "  if (i < n) b[i] += a[i];\n}\n";

TEST_F(Service, GivesPtxCubinAndResourcesOfOneArchitecture) {
  for (const char* arch : {"sm_80", "sm_90a"}) {
    const auto result = compile(kAdd, arch);
    const auto& module = std::get<CompiledModule>(result);
    EXPECT_NE(module.ptx.find(std::string(".target ") + arch), std::string::npos);
    EXPECT_NE(module.ptx.find(".loc\t1 3"), std::string::npos);
    EXPECT_NE(module.ptx.find("\"/candidate.cu\""), std::string::npos);
    EXPECT_EQ(module.cubin.substr(1, 3), "ELF");
    EXPECT_EQ(module.arch, arch);
    EXPECT_TRUE(module.compiler.starts_with("NVRTC 1")) << module.compiler;
    ASSERT_EQ(module.kernels.count("add"), 1u);
    EXPECT_GT(module.kernels.at("add").registers, 0);
  }
}

TEST_F(Service, ReadsSharedAndLocalBytesFromTheCubin) {
  const auto result = compile(
      "extern \"C\" __global__ void k(float* p, int n) {\n"
      "  __shared__ float s[300]; float l[64];\n"
      "  for (int i = 0; i < n; i++) l[i] = p[i];\n"
      "  s[threadIdx.x] = l[n % 7]; __syncthreads(); p[n] = s[n];\n}\n");
  const auto& kernel = std::get<CompiledModule>(result).kernels.at("k");
  EXPECT_EQ(kernel.shared_bytes, 1200);
  EXPECT_EQ(kernel.local_bytes, 256);
}

TEST_F(Service, OffersTheToolkitsDeviceHeaders) {
  const auto result = compile(
      "#include <cuda_runtime.h>\n#include <cuda_fp16.h>\n#include <cuda_bf16.h>\n#include "
      "<cuda_fp8.h>\n#include <mma.h>\n"
      "#if KW_FOUR\n#include <cuda_fp4.h>\n#include <cuda_fp6.h>\n#endif\n"
      "extern \"C\" __global__ void k(__half* p) { *p = __float2half(1.0f); }\n");
  ASSERT_TRUE(std::holds_alternative<CompiledModule>(result))
      << std::get<CompileFailure>(result).diagnostics.front().text;
}

TEST_F(Service, MapsErrorsToTheCandidatesLines) {
  const auto failed = failure("extern \"C\" __global__ void k(float* p) {\n  *p = nothing;\n}\n");
  EXPECT_EQ(failed.kind, RejectKind::CompileError);
  ASSERT_FALSE(failed.diagnostics.empty());
  EXPECT_EQ(failed.diagnostics[0].line, 2);
  EXPECT_NE(failed.diagnostics[0].text.find("nothing"), std::string::npos);

  const auto assembler = failure(
      "extern \"C\" __global__ void k(float* p) {\n\n  asm volatile(\"bogus.f32 %0;\" :: "
      "\"f\"(*p));\n}\n");
  ASSERT_FALSE(assembler.diagnostics.empty());
  EXPECT_EQ(assembler.diagnostics[0].line, 3);
}

TEST_F(Service, ShowsNoByteOfAHostFileHoweverItIsAskedFor) {
  for (const char* text :
       {"#include \"/etc/passwd\"\n", "%:include \"/etc/passwd\"\n",
        "#inc\\\nlude \"/etc/passwd\"\n", "#define F </etc/passwd>\n#include F\n",
        "#include <../../../etc/passwd>\n",
        // Past the scan: a splice inside a raw string makes it see a comment where there is none.
        "const char* a = R\"x()x\\\n\" /* )x\";\n#include \"/etc/passwd\"\n// */\n"}) {
    const auto failed = failure(std::string(text) + kAdd);
    for (const auto& diagnostic : failed.diagnostics) {
      EXPECT_EQ(diagnostic.text.find("root"), std::string::npos) << text;
    }
  }
}

TEST_F(Service, NamesTheCureForAHostHeader) {
  const auto failed = failure(std::string("\n#include <cstdint>\n") + kAdd);
  ASSERT_EQ(failed.diagnostics.size(), 1u);
  EXPECT_EQ(failed.diagnostics[0].line, 2);
  const std::string& text = failed.diagnostics[0].text;
  EXPECT_TRUE(text == "no header 'cstdint': use <cuda/std/cstdint>" ||
              text.find("libcu++ is not installed") != std::string::npos)
      << text;
}

TEST_F(Service, IsConfined) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizer run-times open files of their own";
#endif
  const auto info = service()->info().value();
  EXPECT_TRUE(info.confined) << info.confinement_detail;
}

TEST_F(Service, CachesByContent) {
  const std::string source = std::string(kAdd) + "// cached\n";
  EXPECT_FALSE(std::get<CompiledModule>(compile(source)).from_cache);
  const auto again = std::get<CompiledModule>(compile(source));
  EXPECT_TRUE(again.from_cache);
  EXPECT_FALSE(std::get<CompiledModule>(compile(source, "sm_90")).from_cache);
  EXPECT_FALSE(std::get<CompiledModule>(compile(source, "sm_80", {"N=1"})).from_cache);

  const auto fresh =
      std::get<CompiledModule>(service()->compile_fresh({source, "sm_80", {}}, {}).value());
  EXPECT_FALSE(fresh.from_cache);
  EXPECT_EQ(fresh.ptx, again.ptx);
}

TEST_F(Service, RefusesBadRequestsByName) {
  EXPECT_EQ(service()->compile({kAdd, "compute_80", {}}, {}).error().code, Errc::InvalidArgument);
  EXPECT_EQ(service()->compile({kAdd, "sm_80", {"-I/etc"}}, {}).error().code,
            Errc::InvalidArgument);
  EXPECT_EQ(failure(std::string(kMaxSourceBytes + 1, ' ')).kind, RejectKind::RejectedByPolicy);
  EXPECT_EQ(failure(std::string("int x;\0", 7)).kind, RejectKind::RejectedByPolicy);
}

TEST_F(Service, IsSharedByManyThreads) {
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&, i] {
        const auto result = compile(kAdd + fmt::format("// {}\n", i));
        good += std::holds_alternative<CompiledModule>(result) ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(good, 6);
}

TEST_F(Service, StopsWaitingWhenCancelled) {
  std::stop_source stop;
  stop.request_stop();
  const std::string source = std::string(kAdd) + "// cancelled\n";
  EXPECT_EQ(service()->compile({source, "sm_80", {}}, stop.get_token()).error().code,
            Errc::Cancelled);
}

TEST(ServiceWithoutNvrtc, SaysHowToGetIt) {
  compile::CompileService broken({.toolkit = "/nonexistent"});
  const auto info = broken.info();
  if (info) return;  // found elsewhere, which is as good
  EXPECT_NE(info.error().message.find("KW_NVRTC_DIR"), std::string::npos);
}

}  // namespace
