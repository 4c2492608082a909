#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <map>
#include <span>
#include <thread>
#include <tuple>

#include "exec/context.h"
#include "exec/snapshot.h"
#include "exec/thread_pool.h"
#include "exec/trace.h"
#include "kw/ptxvm/run.h"
#include "memory_state.h"
#include "program_impl.h"

namespace kw::ptxvm {
namespace {

constexpr std::uint32_t kMaxSharedBytes = 227u << 10;
constexpr std::uint32_t kMaxBlockThreads = 1024;

Status check(const KernelInfo& k, const Launch& launch) {
  if (k.refusal) return tl::unexpected<Error>(*k.refusal);
  const Dim3 &g = launch.grid, &b = launch.block;
  if (g.count() == 0 || g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535) {
    return fail(Errc::InvalidArgument,
                "kernel {}: grid {}x{}x{} is outside 1..2147483647 x 1..65535 x 1..65535", k.name,
                g.x, g.y, g.z);
  }
  const std::uint32_t most =
      k.max_block_threads != 0 ? std::min(k.max_block_threads, kMaxBlockThreads) : kMaxBlockThreads;
  if (b.x == 0 || b.y == 0 || b.z == 0 || b.x > 1024 || b.y > 1024 || b.z > 64 ||
      b.count() > most) {
    return fail(Errc::InvalidArgument,
                "kernel {}: block {}x{}x{} does not fit: at most {} threads, 1024 x 1024 x 64",
                k.name, b.x, b.y, b.z, most);
  }
  if (launch.parameters.size() != k.parameter_bytes) {
    return fail(Errc::InvalidArgument, "kernel {} takes {} bytes of parameters, {} given", k.name,
                k.parameter_bytes, launch.parameters.size());
  }
  if (std::uint64_t{launch.dynamic_shared_bytes} + k.static_shared_bytes > kMaxSharedBytes) {
    return fail(Errc::InvalidArgument, "kernel {}: {} + {} bytes of shared memory exceed {}",
                k.name, k.static_shared_bytes, launch.dynamic_shared_bytes, kMaxSharedBytes);
  }
  return {};
}

Isa choose(HostIsa wanted) {
  const Isa best = best_isa();
  switch (wanted) {
    case HostIsa::Best:
      return best;
    case HostIsa::Baseline:
      return Isa::Baseline;
    case HostIsa::Avx2:
      return std::min(best, Isa::Avx2);
    case HostIsa::Avx512:
      return std::min(best, Isa::Avx512);
  }
  return best;
}

std::uint64_t parameter(const LaunchContext& c, const LaunchValue& v) {
  std::uint64_t value = 0;
  std::memcpy(&value, c.parameters->data() + v.parameter, v.parameter_bytes);
  return v.sign ? static_cast<std::uint64_t>(static_cast<std::int8_t>(value)) : value;
}

void fill_pool(LaunchContext& c, const std::vector<std::uint64_t>& addresses) {
  const LoweredKernel& k = *c.kernel;
  c.pool = allocate_aligned(k.pool.size() + 64);
  std::memcpy(c.pool.get(), k.pool.data(), k.pool.size());
  for (const Relocation& r : k.relocations) {
    const std::uint64_t value = addresses[static_cast<std::size_t>(r.variable)] + r.addend;
    for (std::uint32_t l = 0; l < kLanes; ++l)
      std::memcpy(c.pool.get() + r.pool_offset + 8 * l, &value, sizeof value);
  }
  for (const LaunchValue& v : k.launch_values) {
    for (std::uint32_t l = 0; l < kLanes; ++l) {
      const std::uint64_t value = v.special ? launch_wide_value(c, *v.special, l) : parameter(c, v);
      std::memcpy(c.pool.get() + v.pool_offset + l * v.lane_bytes, &value, v.lane_bytes);
    }
  }
}

Finding describe(const Program& program, const LaunchContext& c, const std::string& kernel,
                 RawFinding&& raw) {
  const Instruction& in = *c.kernel->sources[raw.source];
  Finding f;
  f.kind = raw.kind;
  f.site.kernel = kernel;
  f.site.source = in.source;
  f.site.file = program.file_name(in.source.file);
  f.site.ptx_line = in.ptx_line;
  f.site.instruction = in.text;
  f.site.block = raw.block;
  f.site.warp = raw.warp;
  f.site.lane = raw.lane;
  f.space = raw.space;
  f.is_write = raw.is_write;
  f.address = raw.address;
  f.bytes = raw.bytes;
  f.allocation = std::move(raw.allocation);
  f.offset = raw.offset;
  f.occurrences = raw.occurrences;
  const std::string where = in.source.line != 0 ? fmt::format("line {}", in.source.line)
                                                : fmt::format("PTX line {}", in.ptx_line);
  f.message = fmt::format("{} at {} of kernel {}: {} (block {},{},{} warp {} lane {})",
                          to_string(f.kind), where, kernel, raw.message, raw.block.x, raw.block.y,
                          raw.block.z, raw.warp, raw.lane);
  if (!raw.has_other) return f;
  const Instruction& earlier = *c.kernel->sources[raw.other_source];
  Site& other = f.other.emplace();
  other.kernel = kernel;
  other.source = earlier.source;
  other.file = program.file_name(earlier.source.file);
  other.ptx_line = earlier.ptx_line;
  other.instruction = earlier.text;
  other.block = raw.other_block;
  other.warp = raw.other_warp;
  other.lane = raw.other_lane;
  f.other_is_write = raw.other_is_write;
  f.message +=
      fmt::format(" {} (block {},{},{} warp {} lane {})",
                  earlier.source.line != 0 ? fmt::format("at line {}", earlier.source.line)
                                           : fmt::format("at PTX line {}", earlier.ptx_line),
                  other.block.x, other.block.y, other.block.z, other.warp, other.lane);
  return f;
}

void merge_findings(const Program& program, const LaunchContext& c, const std::string& kernel,
                    Workers& workers, Report& report) {
  std::map<std::uint64_t, RawFinding> merged;
  const std::uint64_t last = c.stop_after.load();
  for (const auto& w : workers) {
    for (auto& [key, raw] : w->findings) {
      if (raw.position > last) continue;
      auto [it, fresh] = merged.try_emplace(key, raw);
      if (fresh) continue;
      const std::uint64_t occurrences = it->second.occurrences + raw.occurrences;
      if (raw.position < it->second.position) it->second = std::move(raw);
      it->second.occurrences = occurrences;
    }
  }
  std::vector<RawFinding> ordered;
  for (auto& [key, raw] : merged) ordered.push_back(std::move(raw));
  std::sort(ordered.begin(), ordered.end(), [](const RawFinding& a, const RawFinding& b) {
    return std::tie(a.position, a.sequence) < std::tie(b.position, b.sequence);
  });
  for (RawFinding& raw : ordered) {
    if (report.findings.size() >= c.options->max_findings) {
      report.findings_truncated = true;
      break;
    }
    report.findings.push_back(describe(program, c, kernel, std::move(raw)));
  }
}

void merge_counters(const LaunchContext& c, const Workers& workers, Counters& out) {
  const LoweredKernel& k = *c.kernel;
  std::map<std::pair<std::uint32_t, std::uint32_t>, LineCount> lines;
  for (const auto& w : workers) {
    out.barriers += w->counters.barriers;
    out.divergent_branches += w->counters.divergent_branches;
    out.matrix_multiply_adds += w->counters.matrix_multiply_adds;
    for (std::size_t source = 0; source < w->memory.size(); ++source) {
      out += w->memory[source];
      if (const SourceLine at = k.sources[source]->source; at.line != 0)
        lines[{at.file, at.line}] += w->memory[source];
    }
    for (std::size_t b = 0; b < k.blocks.size(); ++b) {
      const BlockCount& count = w->counts[b];
      if (count.warps == 0) continue;
      for (const std::uint32_t source : k.blocks[b].sources) {
        out.warp_instructions += count.warps;
        out.lane_instructions += count.lanes;
        out.by_class[static_cast<std::size_t>(k.classes[source])] += count.warps;
        const SourceLine at = k.sources[source]->source;
        if (at.line == 0) continue;
        LineCount& line = lines[{at.file, at.line}];
        line.source = at;
        line.warp_instructions += count.warps;
        line.lane_instructions += count.lanes;
      }
    }
  }
  for (const auto& [key, line] : lines) {
    if (line.warp_instructions != 0) out.lines.push_back(line);
  }
  std::stable_sort(out.lines.begin(), out.lines.end(), [](const LineCount& a, const LineCount& b) {
    return a.warp_instructions > b.warp_instructions;
  });
}

void merge_caches(Workers& workers, CacheCounts& out) {
  if (!workers.front()->caches) return;
  for (std::size_t i = 1; i < workers.size(); ++i) {
    workers.front()->caches->merge(*workers[i]->caches);
  }
  out = workers.front()->caches->counts();
}

// The workspace of cooperative_groups::grid_group: its size, then the barrier's counter. The driver
// hands its address to a cooperative launch in %envreg1 (high) and %envreg2 (low); here every
// launch may be one.
class GridBarrier {
 public:
  explicit GridBarrier(Memory& memory) noexcept : memory_(memory) {}
  GridBarrier(const GridBarrier&) = delete;
  GridBarrier& operator=(const GridBarrier&) = delete;
  ~GridBarrier() {
    if (address_ != 0) (void)memory_.release(address_);
  }

  Result<std::uint64_t> allocate() {
    const std::array<std::uint32_t, 4> workspace{sizeof workspace, 0, 0, 0};
    KW_ASSIGN(address_, memory_.allocate_copy("grid barrier", std::as_bytes(std::span(workspace))));
    return address_;
  }

 private:
  Memory& memory_;
  std::uint64_t address_ = 0;
};

}  // namespace

Options with_all_checks(Options options) {
  options.check_uninitialised = options.check_races = options.check_async_copies =
      options.check_registers = options.check_index_overflow = true;
  return options;
}

namespace {

// `raced`, if given, tells whether some worker saw a race, or two of them together.
Result<Report> run_blocks(const Program& program, Memory& memory, const Launch& launch,
                          Options options, const KernelInfo& info, const LoweredKernel& kernel,
                          bool* raced) {
  LaunchContext c;
  c.kernel = &kernel;
  c.code = c.kernel->bound(choose(options.isa), options.perturb_approximations != 0);
  c.options = &options;
  c.grid = launch.grid;
  c.block = launch.block;
  c.blocks = launch.grid.count();
  c.dynamic_shared_bytes = launch.dynamic_shared_bytes;
  c.shared_bytes = info.static_shared_bytes + launch.dynamic_shared_bytes;
  c.parameters = &launch.parameters;
  KW_ASSIGN(const std::vector<std::uint64_t> addresses,
            ModuleVariables::addresses(memory, program));
  c.memory = &memory;
  const std::uint64_t fit = options.resident_bytes / c.block_bytes();
  if (fit == 0) {
    return fail(Errc::ResourceExhausted,
                "kernel {}: one block needs {} bytes of host memory, {} are allowed "
                "(Options::resident_bytes)",
                launch.kernel, c.block_bytes(), options.resident_bytes);
  }
  options.threads = static_cast<unsigned>(std::min<std::uint64_t>(options.threads, fit));
  GridBarrier grid_barrier(memory);
  if (c.kernel->uses_grid_barrier) {
    KW_ASSIGN(c.grid_barrier, grid_barrier.allocate());
  }
  try {
    fill_pool(c, addresses);
    for (const Allocation* a : memory.allocations()) {
      const bool complete =
          options.check_uninitialised && memory.is_initialised(a->address, a->size);
      c.regions.push_back(
          {a->address, a->address + a->size, a->bytes, a->initialised, a, a->read_only, complete});
    }
    std::vector<Ins> traced;
    if (options.trace.max_records != 0) {
      c.untraced = c.code;
      traced = traced_code(c);
      c.code = traced.data();
    }
    Workers workers(options.threads);
    std::vector<ShadowPool>& pools = ModuleVariables::state(memory).shadow_pools;
    if (pools.size() < options.threads) pools.resize(options.threads);
    std::vector<std::exception_ptr> failures(options.threads);
    const auto work = [&](unsigned t) {
      try {
        workers[t] = std::make_unique<Worker>(c, pools[t]);
        workers[t]->work();
      } catch (...) {
        failures[t] = std::current_exception();
        c.stop_after.store(0);
      }
    };
    run_together(options.threads, work);
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
    if (c.cancelled())
      return fail(Errc::Cancelled, "the run of kernel {} was cancelled", launch.kernel);
    if (raced != nullptr) {
      std::vector<WorkerRaces*> races;
      for (const auto& w : workers) {
        races.push_back(w->races.get());
        for (const auto& [key, finding] : w->findings) *raced |= finding.kind == FindingKind::Race;
      }
      *raced = *raced || workers_conflict(races, c.regions.size());
    }
    if (c.over_budget()) {
      // Which blocks had come how far depends on the threads' timing.
      for (const auto& w : workers) {
        if (options.threads > 1) w->findings.clear();
      }
      workers.front()->report_over_budget();
    }
    Report report;
    report.completed =
        std::none_of(workers.begin(), workers.end(), [](const auto& w) { return w->failed; });
    merge_findings(program, c, launch.kernel, workers, report);
    merge_counters(c, workers, report.counters);
    merge_caches(workers, report.counters.cache);
    collect_trace(c, workers, report);
    return report;
  } catch (NotRunnable& refused) {
    return tl::unexpected(std::move(refused.error));
  } catch (const std::bad_alloc&) {
    return fail(Errc::ResourceExhausted, "no host memory for the run of kernel {}", launch.kernel);
  }
}

}  // namespace

Result<Report> run(const Program& program, Memory& memory, const Launch& launch,
                   const Options& given) {
  const Program::Impl& impl = program.impl();
  const KernelInfo* info = program.find_kernel(launch.kernel);
  if (info == nullptr) return fail(Errc::NotFound, "the module has no kernel {}", launch.kernel);
  KW_RETURN_IF_ERROR(check(*info, launch));
  Options options = given;
  if (options.threads == 0) options.threads = std::max(1u, std::thread::hardware_concurrency());
  const auto number = static_cast<std::size_t>(info - impl.kernels.data());
  const LoweredKernel& kernel =
      impl.variant(number, {.checked = options.check_registers || options.check_index_overflow,
                            .traced = options.trace.max_records != 0});
  options.threads =
      static_cast<unsigned>(std::min<std::uint64_t>({options.threads, launch.grid.count(), 256}));
  if (!options.check_races || options.threads == 1)
    return run_blocks(program, memory, launch, options, *info, kernel, nullptr);
  // What is ordered between blocks that synchronise, and which side of a race is found first, would
  // depend on the threads' timing: one thread then decides, and alone is the reference.
  if (!plan_races(kernel).block_sync) {
    const Snapshot before(memory);
    bool raced = false;
    auto report = run_blocks(program, memory, launch, options, *info, kernel, &raced);
    if (!report || !raced) return report;
    before.restore(memory);
  }
  options.threads = 1;
  return run_blocks(program, memory, launch, options, *info, kernel, nullptr);
}

}  // namespace kw::ptxvm
