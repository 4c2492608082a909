#include "kw/agent/task_source.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "kw/bench/bridge.h"
#include "kw/bench/suites.h"
#include "kw/bench/tasks.h"
#include "kw/codegen/generator.h"

namespace kw::agent {
namespace {

constexpr std::string_view kSmall = "@small";
constexpr std::string_view kFull = "@full";

/// Takes "@small" or "@full" off the end of a name.
bool strip_size(std::string& name, bool small) {
  for (const auto& [suffix, means_small] : {std::pair(kSmall, true), std::pair(kFull, false)}) {
    if (name.ends_with(suffix)) {
      name.resize(name.size() - suffix.size());
      return means_small;
    }
  }
  return small;
}

Result<Task> named(Result<Task> task, const std::string& name) {
  if (task) task->name = name;
  return task;
}

Result<Task> import_python(const std::string& file, bool small) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(file, ec)) {
    return fail(Errc::NotFound, "no file '{}'", file);
  }
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  bench::BridgeOptions options;
  options.python = variable("KW_PYTHON");
  options.search_path = variable("PATH");
  KW_ASSIGN(bench::PythonBridge bridge, bench::PythonBridge::start(options));
  bench::ModelRequest request;
  request.file = file;
  request.small = small;
  return bridge.import_model(request);
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) {
    return fail(Errc::NotFound, "no file '{}'", path);
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (!file) return fail(Errc::Io, "cannot open '{}'", path);
  std::string bytes;
  char chunk[1 << 16];
  for (;;) {
    const std::size_t n = std::fread(chunk, 1, sizeof chunk, file.get());
    bytes.append(chunk, n);
    if (bytes.size() > limit) {
      return fail(Errc::InvalidArgument, "'{}' is larger than {} bytes", path, limit);
    }
    if (n < sizeof chunk) break;
  }
  if (std::ferror(file.get())) return fail(Errc::Io, "cannot read '{}'", path);
  return bytes;
}

Result<Task> load_task(const std::string& name, bool small) {
  std::string base = name;
  if (base.starts_with("kernelbench:")) {
    const bool shrink = strip_size(base, small);
    return bench::find_task(shrink ? base + std::string(kSmall) : base);
  }
  if (base.starts_with("format:")) {
    // Sizes that were written out are meant: only a name without them is shrunk by default.
    const bool sized = base.find('?') != std::string::npos;
    const bool shrink = strip_size(base, small && !sized);
    return named(codegen::format_task(std::string_view(base).substr(7), shrink),
                 shrink ? base + std::string(kSmall) : base);
  }
  if (base.ends_with(".json")) {
    KW_ASSIGN(const std::string document, read_file(base, kMaxTaskBytes));
    auto task = parse_task(document);
    if (!task) return wrap(task.error(), base);
    return task;
  }
  const bool shrink = strip_size(base, small);
  if (base.ends_with(".py")) {
    auto task = import_python(base, shrink);
    if (task || !shrink || task.error().code != Errc::InvalidArgument) return task;
    return fail(task.error().code, "{}; {}{} takes the shapes as they are", task.error().message,
                base, kFull);
  }
  return fail(Errc::NotFound,
              "no task '{}': give path/model.py[@small|@full], path/task.json, "
              "kernelbench:LEVEL/NUMBER[@small] or "
              "format:NAME/OPERATION[?sizes]",
              name);
}

std::vector<std::string> expand_suite(const std::string& name, bool small) {
  std::string base = name;
  const bool shrink = strip_size(base, small);
  auto suite = bench::find_suite(shrink ? base + std::string(kSmall) : base);
  if (!suite || suite->tasks.size() == 1) return {name};
  return std::move(suite->tasks);
}

}  // namespace kw::agent
