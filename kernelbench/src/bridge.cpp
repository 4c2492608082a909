#include "kw/bench/bridge.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "embedded.h"
#include "kw/core/json.h"
#include "kw/process/child.h"
#include "line_socket.h"

namespace kw::bench {
namespace {

constexpr std::string_view kElsewhere =
    "or, where torch is, write a task file with `python -m kw_bridge export FILE -o task.json` "
    "(kernelbench/python/bridge) and name that file instead";

Result<std::string> find_python(const BridgeOptions& options) {
  const auto usable = [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; };
  if (!options.python.empty()) {
    std::error_code ignored;
    const std::string path = std::filesystem::absolute(options.python, ignored).string();
    if (usable(path)) return path;
    return fail(Errc::Unavailable, "no Python interpreter at '{}'", options.python);
  }
  std::string_view rest = options.search_path;
  while (!rest.empty()) {
    const std::size_t end = rest.find(':');
    const std::string path = fmt::format("{}/python3", rest.substr(0, end));
    if (path.front() == '/' && usable(path)) return path;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return fail(Errc::Unavailable,
              "a model file needs Python with torch, and there is no python3 on the search path: "
              "name an interpreter, {}",
              kElsewhere);
}

/// What the interpreter last wrote on standard error, for the message about its end.
std::string last_words(int fd) {
  std::string text(4096, '\0');
  const off_t size = ::lseek(fd, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(text.size()));
  const ssize_t got = ::pread(fd, text.data(), text.size(), from);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const std::size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

std::string package_json() {
  Json files = Json::object();
  for (const EmbeddedFile& file : embedded_python()) {
    files[std::string(file.name)] = std::string(file.text);
  }
  return dump(files);
}

std::string bootstrap() {
  for (const EmbeddedFile& file : embedded_python()) {
    if (file.name == "bootstrap") return std::string(file.text);
  }
  return {};
}

std::string text_of(const Json& reply, const char* key) {
  const auto found = reply.find(key);
  return found != reply.end() && found->is_string() ? found->get<std::string>() : std::string();
}

process::ChildOptions child_options(int socket, int errors) {
  process::ChildOptions options;
  options.limits.open_files = 4096;
  options.limits.file_bytes = std::nullopt;
  options.environment = {"PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
                         "CUDA_VISIBLE_DEVICES="};
  options.inherit = {"PATH",       "HOME",       "LANG",        "LC_ALL", "LD_LIBRARY_PATH",
                     "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "TMPDIR"};
  options.stdin_fd = socket;
  options.stdout_fd = socket;
  options.stderr_fd = errors;
  return options;
}

}  // namespace

struct PythonBridge::Impl {
  std::string python;
  process::Fd errors;
  LineSocket socket;
  std::optional<process::Child> child;
  std::chrono::milliseconds export_timeout;
  std::string torch_version;

  /// Kills the interpreter: after a broken exchange the next answer would be to the wrong question.
  tl::unexpected<Error> give_up(Error error) {
    if (child) child->kill();
    child.reset();
    if (error.code == Errc::Unavailable) {
      const std::string words = last_words(errors.get());
      error.message = words.empty() ? fmt::format("{} ended without an answer", python)
                                    : fmt::format("{} ended: {}", python, words);
    } else if (error.code == Errc::DeadlineExceeded) {
      error.message = fmt::format("{} gave no answer in time", python);
    }
    return tl::unexpected<Error>(std::move(error));
  }

  Result<Json> ask(const Json& request, std::chrono::milliseconds timeout, std::stop_token stop) {
    if (!child) return fail(Errc::Unavailable, "the Python bridge has ended; start it again");
    const auto wait = process::Wait::within(timeout, std::move(stop));
    if (Status sent = socket.send(dump(request), wait); !sent) return give_up(sent.error());
    auto line = socket.receive(wait);
    if (!line) return give_up(line.error());
    auto reply = parse_json(*line);
    if (!reply) return give_up({Errc::Internal, "the Python bridge answered no JSON"});
    if (!reply->is_object() || !reply->contains("ok") || !(*reply)["ok"].is_boolean()) {
      return give_up({Errc::Internal, "the Python bridge answered without 'ok'"});
    }
    return reply;
  }
};

PythonBridge::PythonBridge(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PythonBridge::PythonBridge(PythonBridge&&) noexcept = default;
PythonBridge& PythonBridge::operator=(PythonBridge&&) noexcept = default;
PythonBridge::~PythonBridge() = default;

const std::string& PythonBridge::torch_version() const noexcept { return impl_->torch_version; }

Result<PythonBridge> PythonBridge::start(const BridgeOptions& options, std::stop_token stop) {
  auto impl = std::make_unique<Impl>();
  KW_ASSIGN(impl->python, find_python(options));
  impl->export_timeout = options.export_timeout;
  impl->errors = process::Fd(::memfd_create("kw_bridge_stderr", MFD_CLOEXEC));
  KW_ASSIGN(auto ends, LineSocket::make(kMaxTaskBytes + (1u << 20)));
  impl->socket = std::move(ends.first);
  {
    const process::Fd theirs = std::move(ends.second);
    KW_ASSIGN(auto child,
              process::Child::spawn_program(impl->python, {"-c", bootstrap()},
                                            child_options(theirs.get(), impl->errors.get())));
    impl->child.emplace(std::move(child));
  }
  const auto wait = process::Wait::within(options.start_timeout, stop);
  if (Status sent = impl->socket.send(package_json(), wait); !sent) {
    return impl->give_up(sent.error());
  }
  KW_ASSIGN(const Json hello, impl->ask({{"cmd", "hello"}}, options.start_timeout, stop));
  if (!hello["ok"].get<bool>()) {
    if (text_of(hello, "missing") == "torch") {
      return fail(Errc::Unavailable,
                  "{} has no torch, which reads model files: install it (pip install torch), name "
                  "another interpreter, {}",
                  impl->python, kElsewhere);
    }
    return fail(Errc::Unavailable, "the Python bridge does not start: {}", text_of(hello, "error"));
  }
  impl->torch_version = text_of(hello, "torch");
  return PythonBridge(std::move(impl));
}

Result<Task> PythonBridge::import_model(const ModelRequest& request, std::stop_token stop) {
  std::error_code error;
  const std::string file = std::filesystem::absolute(request.file, error).string();
  Json json{{"cmd", "export"},
            {"file", error ? request.file : file},
            {"small", request.small},
            {"policy", request.policy}};
  if (!request.sizes.empty()) json["sizes"] = request.sizes;
  KW_ASSIGN(const Json reply, impl_->ask(json, impl_->export_timeout, std::move(stop)));
  if (!reply["ok"].get<bool>()) {
    return fail(Errc::InvalidArgument, "{}", text_of(reply, "error"));
  }
  const auto task = reply.find("task");
  if (task == reply.end()) return fail(Errc::Internal, "the Python bridge answered without a task");
  auto parsed = parse_task(dump(*task));
  if (!parsed) return wrap(std::move(parsed).error(), request.file);
  return parsed;
}

}  // namespace kw::bench
