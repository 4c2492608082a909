#include "kw/compile/service.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "cubin.h"
#include "headers.h"
#include "kw/core/sha256.h"
#include "log.h"
#include "source_scan.h"
#include "worker.h"

namespace kw::compile {

namespace {

CompileFailure failure(RejectKind kind, std::string text, int line = 0) {
  return {kind, {{Diagnostic::Severity::Error, line, std::move(text)}}};
}

bool is_architecture(std::string_view arch) {
  if (!arch.starts_with("sm_")) return false;
  std::string_view number = arch.substr(3);
  if (!number.empty() && (number.back() == 'a' || number.back() == 'f')) number.remove_suffix(1);
  return (number.size() == 2 || number.size() == 3) &&
         std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_define(std::string_view define) {
  const std::string_view name = define.substr(0, define.find('='));
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && (name[0] < '0' || name[0] > '9') && std::ranges::all_of(name, word) &&
         define.find_first_of("\n\r\0") == std::string_view::npos && define.size() <= 4096;
}

/// Nothing is flushed, divided or rooted fast, whatever a later default may be.
std::vector<std::string> options_for(const CompileRequest& request) {
  std::vector<std::string> options{"--gpu-architecture=" + request.arch,
                                   "-std=c++17",
                                   "-default-device",
                                   "-lineinfo",
                                   "--ftz=false",
                                   "--prec-div=true",
                                   "--prec-sqrt=true",
                                   "--fmad=true"};
  for (const std::string& define : request.defines) options.push_back("-D" + define);
  return options;
}

}  // namespace

struct CompileService::Impl {
  explicit Impl(CompileOptions given)
      : options(std::move(given)),
        toolkit(find_toolkit(options.toolkit)),
        headers(toolkit.include_roots) {
    if (options.processes == 0)
      options.processes = std::max(1u, std::thread::hardware_concurrency());
  }

  Result<Worker> start() const { return Worker::start({toolkit.nvrtc, options.memory_bytes}); }

  /// Takes an idle worker, or starts one while there are fewer than allowed.
  Result<Worker> lease(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    if (!freed.wait(lock, stop, [&] { return !idle.empty() || running < options.processes; })) {
      return fail(Errc::Cancelled, "compiling was cancelled");
    }
    if (!idle.empty()) {
      Worker worker = std::move(idle.back());
      idle.pop_back();
      return worker;
    }
    ++running;
    lock.unlock();
    auto worker = start();
    if (!worker)
      gone();
    else
      note(worker->info());
    return worker;
  }
  void give_back(Worker worker) {
    if (worker.worn()) return gone();
    const std::scoped_lock lock(mutex);
    idle.push_back(std::move(worker));
    freed.notify_one();
  }
  void gone() {
    const std::scoped_lock lock(mutex);
    --running;
    freed.notify_one();
  }
  void note(const WorkerInfo& info) {
    const std::scoped_lock lock(mutex);
    worker_info = info;
  }

  Result<WorkerInfo> info(const std::stop_token& stop) {
    {
      const std::scoped_lock lock(mutex);
      if (worker_info) return *worker_info;
    }
    KW_ASSIGN(Worker worker, lease(stop));
    const WorkerInfo found = worker.info();
    give_back(std::move(worker));
    return found;
  }

  struct Attempt {
    std::variant<NvrtcOutput, WorkerDeath> answer;
    std::string compiler;
    double milliseconds;
  };
  Result<Attempt> try_compile(const NvrtcInput& input, bool fresh, const std::stop_token& stop);
  Result<CompileResult> run(const CompileRequest& request, bool fresh, const std::stop_token& stop);
  Result<CompileResult> compile_with(const CompileRequest& request, const HeaderClosure& closure,
                                     bool fresh, const std::stop_token& stop);

  CompileOptions options;
  Toolkit toolkit;
  HeaderSet headers;
  std::mutex mutex;
  std::condition_variable_any freed;
  std::vector<Worker> idle;               // guarded by mutex
  unsigned running = 0;                   // guarded by mutex; idle ones included
  std::optional<WorkerInfo> worker_info;  // guarded by mutex
};

CompileService::CompileService(CompileOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
CompileService::~CompileService() = default;

Result<CompileResult> CompileService::compile(const CompileRequest& request, std::stop_token stop) {
  return impl_->run(request, false, stop);
}
Result<CompileResult> CompileService::compile_fresh(const CompileRequest& request,
                                                    std::stop_token stop) {
  return impl_->run(request, true, stop);
}

Result<CompileResult> CompileService::Impl::run(const CompileRequest& request, bool fresh,
                                                const std::stop_token& stop) {
  if (!is_architecture(request.arch)) {
    return fail(Errc::InvalidArgument, "'{}' is no architecture such as sm_80 or sm_90a",
                request.arch);
  }
  for (const std::string& define : request.defines) {
    if (!is_define(define)) return fail(Errc::InvalidArgument, "'{}' is no NAME=VALUE", define);
  }
  if (request.source.size() > kMaxSourceBytes) {
    return failure(RejectKind::RejectedByPolicy,
                   fmt::format("the source has {} bytes, the cap is {}", request.source.size(),
                               kMaxSourceBytes));
  }
  if (const auto zero = request.source.find('\0'); zero != std::string::npos) {
    return failure(RejectKind::RejectedByPolicy, "the source holds a zero byte");
  }
  SourceScan scan = scan_source(request.source);
  if (!scan.refusals.empty()) {
    return CompileFailure{RejectKind::RejectedByPolicy, std::move(scan.refusals)};
  }
  HeaderClosure closure = headers.closure(scan.includes);
  if (!closure.missing.empty()) {
    return CompileFailure{RejectKind::CompileError, std::move(closure.missing)};
  }
  if (fresh || options.cache == nullptr) return compile_with(request, closure, fresh, stop);

  KW_ASSIGN(const WorkerInfo known, info(stop));
  std::string parts = known.compiler + '\0' + closure.hash + '\0';
  for (const std::string& option : options_for(request)) parts += option + '\0';
  const std::string key = content_id("kw:compile:v1", parts + request.source);
  if (auto hit = options.cache->get(key)) {
    if (auto* module = std::get_if<CompiledModule>(&*hit)) module->from_cache = true;
    return std::move(*hit);
  }
  KW_ASSIGN(CompileResult result, compile_with(request, closure, false, stop));
  // Whether a process died or ran out of time depends on the machine; the rest is a fact.
  const auto* failed = std::get_if<CompileFailure>(&result);
  const bool fact = failed == nullptr || (failed->kind == RejectKind::CompileError &&
                                          failed->diagnostics.front().line > 0);
  if (fact) options.cache->put(key, result);
  return result;
}

/// A program of many kernels takes as long as its kernels together.
std::chrono::milliseconds deadline_of(const CompileOptions& options, const std::string& source) {
  constexpr std::size_t kUsualBytes = 16u << 10;
  return options.deadline * static_cast<int>(1 + source.size() / kUsualBytes);
}

/// A process that dies at once may have been dying already, so a death counts when it happens
/// twice.
Result<CompileService::Impl::Attempt> CompileService::Impl::try_compile(
    const NvrtcInput& input, bool fresh, const std::stop_token& stop) {
  for (int attempt = 0;; ++attempt) {
    KW_ASSIGN(Worker worker, fresh ? start() : lease(stop));
    const std::string compiler = worker.info().compiler;
    const auto begin = std::chrono::steady_clock::now();
    auto answer = worker.compile(input, {begin + deadline_of(options, input.source), stop});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    const auto* death = answer ? std::get_if<WorkerDeath>(&*answer) : nullptr;
    const bool alive = answer && death == nullptr;
    if (!fresh && alive) give_back(std::move(worker));
    if (!fresh && !alive) gone();
    if (!answer) return tl::unexpected(answer.error());
    if (death != nullptr && !death->timed_out && attempt == 0) continue;
    return Attempt{std::move(*answer), compiler, took.count()};
  }
}

Result<CompileResult> CompileService::Impl::compile_with(const CompileRequest& request,
                                                         const HeaderClosure& closure, bool fresh,
                                                         const std::stop_token& stop) {
  NvrtcInput input{request.source, options_for(request), {}};
  for (const Header* header : closure.headers)
    input.headers.emplace_back(header->name, header->text);

  KW_ASSIGN(const Attempt attempt, try_compile(input, fresh, stop));
  if (const auto* death = std::get_if<WorkerDeath>(&attempt.answer)) {
    if (death->timed_out) {
      return failure(
          RejectKind::Timeout,
          fmt::format("not compiled within {} ms: simplify templates, macros and unrolled "
                      "loops",
                      deadline_of(options, request.source).count()));
    }
    return failure(
        RejectKind::CompileError,
        fmt::format("the compiler did not survive this source ({}; {} MiB at most): look "
                    "for huge initialisers and runaway recursion",
                    death->how, options.memory_bytes >> 20));
  }
  NvrtcOutput output = std::get<NvrtcOutput>(attempt.answer);
  std::vector<std::string> names;
  for (const Header* header : closure.headers) names.push_back(header->name);
  std::vector<Diagnostic> found = parse_log(output.log, output.ptx, names);
  if (!output.ok) {
    if (found.empty() || found.front().severity != Diagnostic::Severity::Error) {
      found.insert(found.begin(), {Diagnostic::Severity::Error, 0,
                                   "the compiler refused the source without naming a line of it"});
    }
    return CompileFailure{RejectKind::CompileError, std::move(found)};
  }
  CompiledModule module;
  module.kernels = kernel_resources(output.cubin);
  module.ptx = std::move(output.ptx);
  module.cubin = std::move(output.cubin);
  module.warnings = std::move(found);
  module.compiler = attempt.compiler;
  module.arch = request.arch;
  module.compile_ms = attempt.milliseconds;
  return module;
}

Result<CompileService::Info> CompileService::info() {
  KW_ASSIGN(const WorkerInfo worker, impl_->info({}));
  return Info{worker.compiler, impl_->toolkit, worker.confined, worker.confinement_detail};
}

Result<std::string> nvrtc_version(const std::string& toolkit) {
  CompileService service({.toolkit = toolkit, .processes = 1});
  KW_ASSIGN(const CompileService::Info info, service.info());
  return info.compiler;
}

}  // namespace kw::compile
