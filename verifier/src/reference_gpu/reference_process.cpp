// The trusted process that owns the reference's GPU context. The parent sends a task, what its
// inputs are drawn from, and the candidate's output bytes as memfds; numbers come back.

#include "reference_process.h"

#include <algorithm>

#include "cuda_accelerator.h"
#include "kw/process/child.h"
#include "kw/process/shared_memory.h"
#include "kw/process/wire.h"
#include "kw/verify/reference_role.h"
#include "trial.h"

namespace kw::verify {
namespace {

using process::Reader;
using process::Writer;

enum MessageType : std::uint32_t { kOpen = 1, kReady, kJudge, kVerdict, kError };

Writer& put(Writer& w, const Comparison& c) {
  return w.put(c.elements)
      .put(c.judged)
      .put(c.wrong)
      .put(c.finite)
      .put(c.worst)
      .put(c.mean_signed)
      .put(c.mean_allowed)
      .put(c.worst_index)
      .put(c.expected)
      .put(c.got)
      .put(c.bound);
}
Comparison read_comparison(Reader& r) {
  Comparison c;
  c.elements = r.get<std::int64_t>();
  c.judged = r.get<std::int64_t>();
  c.wrong = r.get<std::int64_t>();
  c.finite = r.get<std::int64_t>();
  c.worst = r.get<double>();
  c.mean_signed = r.get<double>();
  c.mean_allowed = r.get<double>();
  c.worst_index = r.get<std::int64_t>();
  c.expected = r.get<double>();
  c.got = r.get<double>();
  c.bound = r.get<double>();
  return c;
}

/// The different files among the outputs, in first-use order.
std::vector<int> files_of(const std::vector<OutputView>& outputs) {
  std::vector<int> files;
  for (const OutputView& output : outputs) {
    if (std::ranges::find(files, output.fd) == files.end()) files.push_back(output.fd);
  }
  return files;
}

std::string encode(const Task& task, const TrialPlan& plan,
                   const std::vector<OutputView>& outputs) {
  Writer w;
  w.text(to_json(task)).put(static_cast<std::int32_t>(plan.family)).put(plan.target).put(plan.seed);
  const std::vector<int> files = files_of(outputs);
  w.list(outputs, [&](Writer& each, const OutputView& o) {
    each.put(static_cast<std::uint64_t>(std::ranges::find(files, o.fd) - files.begin()));
    each.put(static_cast<std::uint64_t>(o.mapped));
    each.put(static_cast<std::uint64_t>(o.first));
    each.put(static_cast<std::uint64_t>(o.bytes.size()));
  });
  return w.take();
}

Result<TrialVerdict> judge_message(gpu::Accelerator& device, process::Message& message) {
  Reader r(message.body);
  KW_ASSIGN(const Task task, parse_task(r.text()));
  const auto family = r.get<std::int32_t>();
  const auto target = r.get<ValueId>();
  const auto seed = r.get<std::uint64_t>();
  if (family < 0 || family > static_cast<std::int32_t>(Family::Constant)) {
    return fail(Errc::Corrupt, "family {}", family);
  }
  KW_ASSIGN(const TrialPlan plan, plan_trial(task, "", static_cast<Family>(family), target, seed));
  std::vector<process::SharedMemory> memory;
  std::vector<std::span<const std::byte>> outputs;
  const std::size_t count = r.count();
  if (count != task.graph.outputs.size()) {
    return fail(Errc::Corrupt, "{} outputs of {}", count, task.graph.outputs.size());
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto file = r.get<std::uint64_t>();
    const auto mapped = r.get<std::uint64_t>();
    const auto first = r.get<std::uint64_t>();
    const auto used = r.get<std::uint64_t>();
    if (file > memory.size() || file >= message.fds.size()) {
      return fail(Errc::Corrupt, "file {} of {}", file, message.fds.size());
    }
    if (file == memory.size()) {
      KW_ASSIGN(process::SharedMemory bytes,
                process::SharedMemory::attach(std::move(message.fds[file]), mapped, false));
      memory.push_back(std::move(bytes));
    }
    const std::span<const std::byte> all = std::as_const(memory[file]).bytes();
    if (first > all.size() || used > all.size() - first) {
      return fail(Errc::Corrupt, "{} bytes from {} of {}", used, first, all.size());
    }
    outputs.push_back(all.subspan(first, used));
  }
  if (!r.finished()) return fail(Errc::Corrupt, "a message with loose ends");
  return gpu::judge_trial(device, task, plan, outputs, {});
}

Status reply_error(process::Channel& channel, const Error& error) {
  Writer w;
  w.put(static_cast<std::int32_t>(error.code)).text(error.message);
  return channel.send(kError, w.bytes());
}
Error read_error(std::string_view body) {
  Reader r(body);
  const auto code = r.get<std::int32_t>();
  Error error;
  error.code = code >= 0 && code <= static_cast<std::int32_t>(Errc::Internal)
                   ? static_cast<Errc>(code)
                   : Errc::Internal;
  error.message = r.text();
  return error;
}

int serve(process::Channel& channel) {
  auto first = channel.receive();
  if (!first || first->type != kOpen) return 2;
  Reader open(first->body);
  const std::string uuid = open.text();
  const std::string cubin = open.text();
  auto device = gpu::open_cuda_accelerator(uuid, cubin);
  if (!device) return reply_error(channel, device.error()) ? 3 : 3;
  if (!channel.send(kReady, "")) return 0;
  for (;;) {
    auto message = channel.receive();
    if (!message) return 0;
    if (message->type != kJudge) return 2;
    const auto verdict = judge_message(**device, *message);
    (*device)->trim();  // the candidate's runner needs the memory next
    if (!verdict) {
      if (!reply_error(channel, verdict.error())) return 0;
      continue;
    }
    Writer w;
    w.list(verdict->outputs, [](Writer& each, const Comparison& c) { put(each, c); });
    if (!channel.send(kVerdict, w.bytes())) return 0;
  }
}

}  // namespace

process::Role reference_role() { return {kReferenceRole, serve}; }

struct ReferenceProcess::Impl {
  process::Child child;
};

ReferenceProcess::ReferenceProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReferenceProcess::ReferenceProcess(ReferenceProcess&&) noexcept = default;
ReferenceProcess& ReferenceProcess::operator=(ReferenceProcess&&) noexcept = default;
ReferenceProcess::~ReferenceProcess() = default;

Result<ReferenceProcess> ReferenceProcess::start(const std::string& uuid, const std::string& cubin,
                                                 std::chrono::milliseconds deadline,
                                                 std::stop_token stop) {
  process::ChildOptions options;
  options.tree = process::Tree::Walk;  // GPU drivers need the outer PIDs
  options.limits.open_files = 1024;
  options.inherit = {"LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"};
  options.environment = {"CUDA_CACHE_DISABLE=1", "CUDA_MODULE_LOADING=LAZY"};
  KW_ASSIGN(process::Child child, process::Child::spawn_role(kReferenceRole, options));
  const process::Wait wait{std::chrono::steady_clock::now() + deadline, stop};
  Writer w;
  w.text(uuid).text(cubin);
  KW_RETURN_IF_ERROR(child.channel().send(kOpen, w.bytes(), wait));
  KW_ASSIGN(const process::Message reply, child.channel().receive(wait));
  if (reply.type == kError) return tl::unexpected(read_error(reply.body));
  if (reply.type != kReady) return fail(Errc::Internal, "the reference process did not start");
  return ReferenceProcess(std::make_unique<Impl>(Impl{std::move(child)}));
}

Result<TrialVerdict> ReferenceProcess::judge(const Task& task, const TrialPlan& plan,
                                             const std::vector<OutputView>& outputs,
                                             std::chrono::milliseconds deadline,
                                             std::stop_token stop) {
  for (const BufferFill& fill : plan.fills) {
    if (fill.bytes != nullptr) {
      return fail(Errc::Unsupported, "buffer '{}' is given by bytes, not by a draw", fill.buffer);
    }
  }
  const std::vector<int> fds = files_of(outputs);
  if (std::ranges::any_of(fds, [](int fd) { return fd < 0; })) {
    return fail(Errc::Internal, "an output without a descriptor");
  }
  const process::Wait wait{std::chrono::steady_clock::now() + deadline, stop};
  process::Channel& channel = impl_->child.channel();
  KW_RETURN_IF_ERROR(channel.send(kJudge, encode(task, plan, outputs), fds, wait));
  auto answered = channel.receive(wait);
  if (!answered && answered.error().code == Errc::Unavailable) {
    return fail(Errc::Unavailable, "the reference process ended: {}",
                to_string(impl_->child.kill()));
  }
  KW_ASSIGN(const process::Message reply, std::move(answered));
  if (reply.type == kError) return tl::unexpected(read_error(reply.body));
  Reader r(reply.body);
  TrialVerdict verdict;
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n)
    verdict.outputs.push_back(read_comparison(r));
  if (reply.type != kVerdict || !r.finished() || verdict.outputs.size() != outputs.size()) {
    return fail(Errc::Corrupt, "the reference process answered in no known form");
  }
  return verdict;
}

}  // namespace kw::verify
