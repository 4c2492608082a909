#include "worker.h"

#include "kw/compile/service.h"
#include "kw/process/confine.h"
#include "kw/process/wire.h"

namespace kw::compile {

namespace {

using process::Reader;
using process::Wait;
using process::Writer;
using namespace std::chrono_literals;

enum MessageType : std::uint32_t { kSetUp = 1, kReady, kCompile, kDone, kBroken };

std::string encode(const NvrtcInput& input) {
  Writer writer;
  writer.text(input.source);
  writer.list(input.options, [](Writer& w, const std::string& option) { w.text(option); });
  writer.list(input.headers,
              [](Writer& w, const auto& header) { w.text(header.first).text(header.second); });
  return writer.take();
}

NvrtcInput decode_input(std::string_view body) {
  Reader reader(body);
  NvrtcInput input;
  input.source = reader.text();
  for (std::size_t n = reader.count(); n > 0 && reader.ok(); --n) {
    input.options.push_back(reader.text());
  }
  for (std::size_t n = reader.count(); n > 0 && reader.ok(); --n) {
    std::string name = reader.text();
    input.headers.emplace_back(std::move(name), reader.text());
  }
  return input;
}

// ---- the process itself

/// "NVRTC 13.0.88" from the comment every PTX begins with; major.minor where it does not.
std::string build_of(const Nvrtc& nvrtc, std::string_view ptx) {
  constexpr std::string_view kMark = "Cuda compilation tools, release ";
  std::string build = nvrtc.version();
  if (const auto at = ptx.find(kMark); at != std::string_view::npos) {
    const std::string_view line = ptx.substr(at, ptx.find('\n', at) - at);
    if (const auto v = line.rfind(", V"); v != std::string_view::npos) {
      build = std::string(line.substr(v + 3));
    }
  }
  return "NVRTC " + build;
}

/// The first compile makes NVRTC open what it needs; after it nothing is opened any more.
Result<Nvrtc> set_up(const std::string& library, WorkerInfo& info) {
  KW_ASSIGN(Nvrtc nvrtc, Nvrtc::load(library));
  KW_ASSIGN(const NvrtcOutput warm,
            nvrtc.compile({"extern \"C\" __global__ void kw_warm_up(float* p) { *p = 1.0f; }",
                           {"--gpu-architecture=sm_80", "-lineinfo"},
                           {}}));
  if (!warm.ok) return fail(Errc::Unavailable, "NVRTC refuses an empty kernel: {}", warm.log);
  info.compiler = build_of(nvrtc, warm.ptx);
  const Status confined = process::confine(process::Confinement::Compute);
  info.confined = confined.has_value();
  if (!confined) info.confinement_detail = confined.error().message;
  return nvrtc;
}

int serve(process::Channel& channel) {
  const auto first = channel.receive();
  if (!first || first->type != kSetUp) return 2;
  WorkerInfo info;
  const auto nvrtc = set_up(Reader(first->body).text(), info);
  if (!nvrtc) return channel.send(kBroken, nvrtc.error().message) ? 3 : 3;
  Writer ready;
  ready.text(info.compiler).put(info.confined).text(info.confinement_detail);
  if (!channel.send(kReady, ready.bytes())) return 0;
  for (;;) {
    const auto message = channel.receive();
    if (!message) return 0;
    const auto output = nvrtc->compile(decode_input(message->body));
    Writer writer;
    if (output) {
      writer.put(output->ok).text(output->log).text(output->ptx).text(output->cubin);
    } else {
      writer.text(output.error().message);
    }
    if (!channel.send(output ? kDone : kBroken, writer.bytes())) return 0;
  }
}

}  // namespace

process::Role compile_role() { return {"compile", serve}; }

// ---- its owner

Result<Worker> Worker::start(const WorkerOptions& options) {
  process::ChildOptions child_options;
  child_options.limits.address_space_bytes = options.memory_bytes;
  // Where the dynamic linker is asked, it must know what ours knows.
  if (options.library.empty()) child_options.inherit = {"LD_LIBRARY_PATH"};
  KW_ASSIGN(auto child, process::Child::spawn_role("compile", child_options));
  Worker worker(std::move(child));
  const Wait wait = Wait::within(60s);
  KW_RETURN_IF_ERROR(
      worker.child_.channel().send(kSetUp, Writer().text(options.library).bytes(), wait));
  auto reply = worker.child_.channel().receive(wait);
  if (!reply) {
    return fail(Errc::Unavailable, "the compile process did not start: {} ({})",
                reply.error().message, to_string(worker.child_.kill()));
  }
  if (reply->type != kReady) return fail(Errc::Unavailable, "{}", reply->body);
  Reader reader(reply->body);
  worker.info_.compiler = reader.text();
  worker.info_.confined = reader.flag();
  worker.info_.confinement_detail = reader.text();
  if (!reader.finished()) return fail(Errc::Internal, "a compile process speaks otherwise");
  return worker;
}

Result<std::variant<NvrtcOutput, WorkerDeath>> Worker::compile(const NvrtcInput& input,
                                                               const Wait& wait) {
  using Answer = std::variant<NvrtcOutput, WorkerDeath>;
  ++compiles_;
  const auto sent = child_.channel().send(kCompile, encode(input), wait);
  auto reply = sent ? child_.channel().receive(wait)
                    : Result<process::Message>(tl::unexpected(sent.error()));
  if (!reply) {
    const process::Exit exit = child_.kill();
    switch (reply.error().code) {
      case Errc::Cancelled:
        return fail(Errc::Cancelled, "compiling was cancelled");
      case Errc::DeadlineExceeded:
        return Answer(WorkerDeath{true, to_string(exit)});
      default:
        return Answer(WorkerDeath{false, to_string(exit)});
    }
  }
  Reader reader(reply->body);
  if (reply->type != kDone) return fail(Errc::Unavailable, "{}", reader.text());
  NvrtcOutput output;
  output.ok = reader.flag();
  output.log = reader.text();
  output.ptx = reader.text();
  output.cubin = reader.text();
  if (!reader.finished() || output.log.size() > kMaxLogBytes) {
    child_.kill();
    return Answer(WorkerDeath{false, "an answer that is none"});
  }
  return Answer(std::move(output));
}

}  // namespace kw::compile
