#include "kw/agent/bundle.h"

#include <fstream>

#include "kw/core/embedded.h"
#include "kw/core/json.h"
#include "kw/verify/certificate.h"

namespace kw::agent {
/// capi/, embedded at build time.
std::span<const EmbeddedFile> embedded_bundle_files();

namespace fs = std::filesystem;
namespace {

std::string readme(const Bundle& b) {
  std::string out = fmt::format(
      "# {}\n\nA CUDA kernel by Kernelwright ({}, {}), compiled by {} for {}.\n\n",
      b.task.name, to_string(b.candidate.proposer), b.candidate.generator, b.module.compiler,
      b.module.arch);
  if (b.verdict) {
    if (const auto* good = std::get_if<Passed>(&b.verdict->outcome)) {
      out += fmt::format("Judged on {} ({}) under policy {}, {} checks, all passed.\n",
                         good->evidence.device.name, good->evidence.device.arch, b.verdict->policy,
                         good->evidence.checks.size());
      if (good->evidence.device.klass == "ptxvm") {
        out += "That device is a virtual machine: this says nothing about speed.\n";
      }
    }
  }
  for (const store::TimingRecord& t : b.timings) {
    out += fmt::format("{}: median {:.2f} us, spread {:.2f} us over {} samples ({}).\n",
                       t.device.name, t.timing.median_us, t.timing.spread_us, t.timing.samples,
                       t.timing.protocol);
  }
  out +=
      "\n| file | is |\n| --- | --- |\n"
      "| kernel.cu | the device code, one file, needs the CUDA toolkit's headers only |\n"
      "| kernel.ptx, kernel.cubin | what the compiler made of it |\n"
      "| plan.json | launch plan: buffers, kernels, order; all that happens on the host |\n"
      "| task.json | the task it solves |\n"
      "| certificate.json | the verdict with all that is needed to see it again |\n"
      "| evidence.json | the verdict and timings it was accepted on |\n"
      "| libkernelwright.so, kernelwright.h | runs the plan; C ABI |\n"
      "| run.c | an example |\n\n"
      "    cc run.c -I. -L. -lkernelwright -Wl,-rpath,'$ORIGIN' -o run && ./run\n\n"
      "Judge it again: `kernelwright verify .`\n\n## Buffers\n\n";
  for (const PlanBuffer& buffer : b.candidate.plan.buffers) {
    if (buffer.role == Role::Scratch) continue;
    out += fmt::format("- `{}`: {}, {}, {} bytes\n", buffer.name, to_string(buffer.role),
                       to_string(buffer.dtype), buffer.bytes.text());
  }
  return out;
}

std::string evidence(const Bundle& b) {
  Json timings = Json::array();
  for (const store::TimingRecord& t : b.timings) {
    timings.push_back({{"device", t.device.name},
                       {"uuid", t.device.uuid},
                       {"driver", t.device.driver},
                       {"median_us", number_json(t.timing.median_us)},
                       {"spread_us", number_json(t.timing.spread_us)},
                       {"samples", t.timing.samples},
                       {"floor_us", number_json(t.timing.floor_us)},
                       {"protocol", t.timing.protocol}});
  }
  Json out = {{"v", 1},
              {"kind", "evidence"},
              {"task", b.task.name},
              {"kernel", b.candidate_id},
              {"timings", std::move(timings)}};
  if (b.verdict) {
    out["verdict"] = {{"id", b.verdict->id},
                      {"policy", b.verdict->policy},
                      {"seed", fmt::format("{:016x}", b.verdict->seed)},
                      {"outcome", Json::parse(to_json(b.verdict->outcome), nullptr, false)}};
  }
  return dump(out, 2) + "\n";
}

/// Empty for a verdict that is not certified: one of another release's judge.
std::string certificate(const Bundle& b) {
  const auto* good = b.verdict ? std::get_if<Passed>(&b.verdict->outcome) : nullptr;
  if (good == nullptr) return {};
  const auto made = verify::certify(b.task, b.candidate, *good, b.verdict->seed, b.verdict->full, KW_VERSION);
  return made ? verify::to_json(*made) : std::string();
}

Status write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return fail(Errc::Io, "cannot write '{}'", path.string());
  return {};
}

/// Beside the executable in an installed tree (../lib) or a build tree.
Result<fs::path> launcher_library() {
  std::error_code ec;
  const fs::path here = fs::read_symlink("/proc/self/exe", ec).parent_path();
  for (const fs::path& folder : {here / "../lib", here}) {
    fs::path library = folder / "libkernelwright.so";
    if (fs::exists(library, ec)) return library;
  }
  return fail(Errc::Unavailable, "libkernelwright.so is neither in {} nor in ../lib from there",
              here.string());
}

}  // namespace

Result<Bundle> collect_bundle(store::Store& store, Compiler& compiler, const Task& task,
                              const std::string& candidate_id, const std::string& arch,
                              std::stop_token stop) {
  Bundle bundle;
  bundle.task = task;
  bundle.candidate_id = candidate_id;
  KW_ASSIGN(auto candidate, store.candidate(candidate_id));
  if (!candidate) return fail(Errc::NotFound, "no kernel '{}' in the store", candidate_id);
  bundle.candidate = std::move(*candidate);
  KW_ASSIGN(auto verdicts, store.verdicts(candidate_id));
  for (store::VerdictRecord& v : verdicts) {
    if (v.full && passed(v.outcome)) bundle.verdict = std::move(v);
  }
  if (!bundle.verdict) {
    return fail(Errc::NotFound, "kernel '{}' never passed in full: it is not exported", candidate_id);
  }
  KW_ASSIGN(bundle.timings, store.timings(candidate_id));
  CompileRequest request;
  request.source = bundle.candidate.source;
  request.arch = arch;
  KW_ASSIGN(CompileResult compiled, compiler.compile(request, std::move(stop)));
  if (auto* failure = std::get_if<CompileFailure>(&compiled)) {
    return fail(Errc::InvalidArgument, "kernel '{}' does not compile for {}: {}", candidate_id, arch,
                failure->diagnostics.empty() ? std::string(to_string(failure->kind))
                                             : failure->diagnostics.front().text);
  }
  bundle.module = std::move(std::get<CompiledModule>(compiled));
  return bundle;
}

std::vector<BundleFile> bundle_files(const Bundle& b) {
  std::vector<BundleFile> files{
          {"kernel.cu", b.candidate.source},
          {"kernel.ptx", b.module.ptx},
          {"kernel.cubin", b.module.cubin},
          {"plan.json", to_json(b.candidate.plan) + "\n"},
          {"task.json", to_json(b.task) + "\n"},
          {"evidence.json", evidence(b)},
          {"README.md", readme(b)}};
  if (std::string text = certificate(b); !text.empty()) {
    files.push_back({"certificate.json", std::move(text)});
  }
  for (const EmbeddedFile& file : embedded_bundle_files()) {
    files.push_back({std::string(file.name), std::string(file.text)});
  }
  return files;
}

Status write_bundle(const Bundle& bundle, const fs::path& directory) {
  std::error_code ec;
  if (fs::exists(directory, ec) && (!fs::is_directory(directory, ec) || !fs::is_empty(directory, ec))) {
    return fail(Errc::InvalidArgument, "'{}' is there already and not an empty directory",
                directory.string());
  }
  fs::create_directories(directory, ec);
  if (ec) return fail(Errc::Io, "cannot create '{}': {}", directory.string(), ec.message());
  for (const BundleFile& file : bundle_files(bundle)) {
    KW_RETURN_IF_ERROR(write_file(directory / file.name, file.bytes));
  }
  KW_ASSIGN(const fs::path library, launcher_library());
  fs::copy_file(library, directory / "libkernelwright.so", ec);
  if (ec) return fail(Errc::Io, "cannot copy '{}': {}", library.string(), ec.message());
  return {};
}

}  // namespace kw::agent
