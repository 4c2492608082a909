#include "role.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "bind.h"
#include "kw/core/occupancy.h"
#include "kw/process/confine.h"
#include "kw/process/shared_memory.h"
#include "messages.h"

namespace kw::agent::vm {
namespace {

using process::SharedMemory;

struct Job {
  Request request;
  std::vector<SharedMemory> arrays;
};

Result<Job> receive(process::Channel& channel) {
  KW_ASSIGN(process::Message message, channel.receive());
  if (message.type != kRun) return fail(Errc::Internal, "a launch got message {}", message.type);
  Job job;
  KW_ASSIGN(job.request, decode_request(message.body));
  if (message.fds.size() != job.request.arrays.size()) {
    return fail(Errc::Internal, "a launch got {} arrays", message.fds.size());
  }
  for (std::size_t i = 0; i < message.fds.size(); ++i) {
    const auto bytes =
        static_cast<std::size_t>(std::max<std::uint64_t>(job.request.arrays[i].bytes, 1));
    KW_ASSIGN(SharedMemory memory, SharedMemory::attach(std::move(message.fds[i]), bytes, true));
    job.arrays.push_back(std::move(memory));
  }
  return job;
}

Result<std::vector<std::uint64_t>> place(ptxvm::Memory& memory, const Job& job) {
  std::vector<std::uint64_t> addresses;
  for (std::size_t i = 0; i < job.arrays.size(); ++i) {
    const LaunchArray& array = job.request.arrays[i];
    const auto given = job.arrays[i].bytes().first(static_cast<std::size_t>(array.bytes));
    KW_ASSIGN(const std::uint64_t address, array.initialised
                                               ? memory.allocate_copy(array.name, given)
                                               : memory.allocate(array.name, array.bytes));
    if (array.read_only) KW_RETURN_IF_ERROR(memory.set_read_only(address, true));
    addresses.push_back(address);
  }
  return addresses;
}

/// One entry per kind and instruction, in order of the first schedule that showed it.
void gather_findings(std::vector<ptxvm::Report>& reports, Reply& reply) {
  std::map<std::tuple<ptxvm::FindingKind, std::uint32_t>, bool> seen;
  reply.completed = true;
  for (std::size_t s = 0; s < reports.size(); ++s) {
    ptxvm::Report& report = reports[s];
    reply.completed = reply.completed && report.completed;
    reply.findings_truncated = reply.findings_truncated || report.findings_truncated;
    for (ptxvm::Finding& finding : report.findings) {
      if (!seen.try_emplace({finding.kind, finding.site.ptx_line}, true).second) continue;
      reply.findings.push_back({static_cast<std::uint32_t>(s), std::move(finding)});
    }
  }
}

void name_files(const ptxvm::Program& program, Reply& reply) {
  const auto name = [&](const ptxvm::SourceLine& at) {
    if (at.line != 0) reply.files.try_emplace(at.file, program.file_name(at.file));
  };
  for (const ptxvm::LineCount& line : reply.counters.lines) name(line.source);
  for (const ptxvm::TraceRecord& record : reply.trace) name(record.source);
}

/// What shared memory leaves of a multiprocessor's unified cache, for one of its resident blocks.
std::uint32_t l1_share(const Request& request, const ptxvm::KernelInfo& kernel) {
  constexpr std::uint32_t kLeast = 4u << 10;
  const SmTable* const sm = find_sm_table(request.arch);
  if (sm == nullptr) return ptxvm::Options{}.l1_bytes;
  const auto known = request.registers.find(kernel.name);
  const std::uint32_t shared = kernel.static_shared_bytes + request.shared_bytes;
  const auto fit = occupancy(*sm, {static_cast<std::uint32_t>(request.block.count()),
                                   known == request.registers.end() ? 0 : known->second, shared});
  if (!fit || fit->blocks == 0) return kLeast;
  const auto resident = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(fit->blocks, std::max<std::uint64_t>(1, request.grid.count())));
  const std::uint32_t taken = resident * (shared + sm->shared_reserved);
  return std::max(kLeast, (sm->l1_bytes - std::min(taken, sm->l1_bytes)) / resident);
}

Result<Reply> launch(Job& job) {
  const Request& request = job.request;
  KW_ASSIGN(const auto program, ptxvm::load(request.ptx));
  KW_ASSIGN(const ptxvm::KernelInfo* const kernel, find_entry(*program, request.kernel));
  Reply reply;
  reply.kernel = kernel->name;
  reply.shown = demangled(kernel->name);
  reply.signature = signature_of(*kernel);
  reply.target = program->target();
  reply.static_shared_bytes = kernel->static_shared_bytes;
  reply.local_bytes = kernel->local_bytes;
  if (kernel->refusal) return wrap(*kernel->refusal, "the virtual machine refuses " + reply.shown);

  ptxvm::Memory memory;
  KW_ASSIGN(const std::vector<std::uint64_t> addresses, place(memory, job));
  ptxvm::Launch launch{kernel->name, request.grid, request.block, request.shared_bytes, {}};
  KW_ASSIGN(launch.parameters, bind_arguments(*kernel, request.arguments, addresses));
  ptxvm::Options options = request.options;
  if (options.model_caches) options.l1_bytes = reply.l1_bytes = l1_share(request, *kernel);
  KW_ASSIGN(ptxvm::SchedulesReport report, ptxvm::run_schedules(*program, memory, launch, options,
                                                                std::max(1u, request.schedules)));
  gather_findings(report.reports, reply);
  reply.differences = std::move(report.differences);
  ptxvm::Report& first = report.reports.front();
  reply.counters = std::move(first.counters);
  reply.trace = std::move(first.trace);
  reply.trace_truncated = first.trace_truncated;
  name_files(*program, reply);

  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::uint64_t size = request.arrays[i].bytes;
    KW_RETURN_IF_ERROR(
        memory.read(addresses[i], job.arrays[i].bytes().first(static_cast<std::size_t>(size))));
    const ptxvm::Allocation* const at = size == 0 ? nullptr : memory.find(addresses[i]);
    reply.unwritten.push_back(at == nullptr
                                  ? 0
                                  : static_cast<std::uint64_t>(std::count(
                                        at->initialised, at->initialised + size, std::uint8_t{0})));
  }
  return reply;
}

int serve(process::Channel& channel) {
  const auto answer = [&]() -> Result<Reply> {
    KW_ASSIGN(Job job, receive(channel));
    // From here on a stranger's PTX is read.
    KW_RETURN_IF_ERROR(process::confine(process::Confinement::Compute));
    return launch(job);
  };
  const Result<Reply> reply = answer();
  const Status sent =
      reply ? channel.send(kDone, encode(*reply)) : channel.send(kBroken, encode(reply.error()));
  return sent ? 0 : 3;
}

}  // namespace

process::Role launch_role() { return {"vm-launch", serve}; }

}  // namespace kw::agent::vm
