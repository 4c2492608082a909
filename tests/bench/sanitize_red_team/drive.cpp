#include "drive.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <thread>

#include "kw/compile/service.h"
#include "kw/core/json.h"
#include "kw/launch/launcher.h"
#include "lines.h"
#include "target.h"
#include "work.h"

namespace kw::redteam {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::vector<std::string> tools{"memcheck", "racecheck", "initcheck", "synccheck"};
  std::string only, lines, arch;
  int parallel = 16;
  std::optional<Clock::time_point> until;
  bool list = false;
};

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

Result<Arguments> read(std::span<char*> words) {
  Arguments a;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string_view name = words[i];
    if (name == "--list") {
      a.list = true;
      --i;
      continue;
    }
    if (i + 1 == words.size()) return fail(Errc::InvalidArgument, "'{}' needs a value", name);
    const char* value = words[i + 1];
    if (name == "--tools") {
      a.tools = split_list(value);
    } else if (name == "--parallel") {
      a.parallel = std::clamp(std::atoi(value), 1, 64);
    } else if (name == "--only") {
      a.only = value;
    } else if (name == "--arch") {
      a.arch = value;
    } else if (name == "--lines") {
      a.lines = value;
    } else if (name == "--seconds") {
      a.until = Clock::now() + std::chrono::seconds(std::max(std::atoi(value), 1));
    } else {
      return fail(Errc::InvalidArgument, "unknown argument '{}'", name);
    }
  }
  return a;
}

template <class F>
void in_threads(int count, std::size_t items, const F& each) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < count; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < items; i = next++) each(i);
    });
  }
}

/// Compiles every case into `modules`; a case that does not compile has no entry.
Result<std::map<std::string, Uses>> compile_all(const std::vector<const Case*>& list,
                                                const std::string& arch, int parallel,
                                                const std::filesystem::path& modules) {
  const int processes =
      std::min<int>(parallel, static_cast<int>(std::thread::hardware_concurrency()));
  compile::CompileService compiler({.processes = static_cast<unsigned>(std::max(processes, 1))});
  if (const auto info = compiler.info(); !info) return tl::unexpected(info.error());
  std::map<std::string, Uses> uses;
  std::mutex mutex;
  in_threads(std::max(processes, 1), list.size(), [&](std::size_t i) {
    const Case& c = *list[i];
    const auto compiled = compiler.compile({c.candidate.source, arch, {}}, {});
    const auto* code = compiled ? std::get_if<CompiledModule>(&*compiled) : nullptr;
    const std::lock_guard lock(mutex);
    if (code == nullptr) {
      fmt::print(stderr, "{}: does not compile\n", c.name);
      return;
    }
    std::ofstream(module_path(modules, c), std::ios::binary) << code->cubin;
    uses[c.name] = uses_of(code->ptx);
  });
  return uses;
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 4096> buffer{};
  for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer.data(), n);
  }
  ::pclose(pipe);
  return text;
}

std::string own_path() {
  std::array<char, 4096> path{};
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return n > 0 ? std::string(path.data(), static_cast<std::size_t>(n)) : "sanitize_red_team";
}

/// Runs one process, and another for what a fault kept from being run.
void perform(const Work& work, const std::string& self, const std::filesystem::path& modules,
             const std::optional<Clock::time_point>& until, Lines& lines) {
  std::vector<const Case*> left = work.cases;
  while (!left.empty() && !(until && Clock::now() > *until)) {
    std::string names;
    for (const Case* c : left) names += " '" + c->name + "'";
    const std::string text = output_of(fmt::format(
        "timeout -k 2 60 compute-sanitizer --target-processes application-only --tool {} "
        "--print-limit 20 '{}' --run '{}'{} 2>&1",
        work.tool, self, modules.string(), names));
    const auto seen = read_reports(text);
    std::vector<const Case*> unseen;
    for (const Case* c : left) {
      const auto found = seen.find(c->name);
      if (found == seen.end()) {
        unseen.push_back(c);
      } else {
        lines.add(*c, work.tool, found->second);
      }
    }
    if (unseen.size() == left.size()) {  // the tool itself does not run
      if (!text.empty()) fmt::print(stderr, "{}: {}\n", work.tool, text.substr(0, 2000));
      return;
    }
    left = std::move(unseen);
  }
}

int summarise(const Arguments& a, const std::vector<const Case*>& list, const Lines& lines,
              const std::set<Run>& wanted) {
  std::set<std::string> hostile, found, unclean, left;
  std::size_t honest = 0;
  for (const Case* c : list) {
    honest += c->hostile ? 0 : 1;
    if (c->hostile) hostile.insert(c->name);
  }
  for (const auto& [name, tool] : lines.unclean()) {
    if (hostile.contains(name)) {
      found.insert(name);
    } else {
      unclean.insert(fmt::format("{} {}", name, tool));
    }
  }
  std::vector<std::string> unseen;
  std::ranges::set_difference(hostile, found, std::back_inserter(unseen));
  for (const Run& run : wanted) {
    if (!lines.done().contains(run)) left.insert(fmt::format("{} {}", run.first, run.second));
  }
  fmt::print("{}\n", dump({{"v", 1},
                           {"kind", "sanitized_red_team"},
                           {"tools", a.tools},
                           {"runs", lines.done().size()},
                           {"honest", honest},
                           {"honest_unclean", unclean},
                           {"hostile", hostile.size()},
                           {"hostile_found", found.size()},
                           {"hostile_not_seen", unseen},
                           {"not_run", left}}));
  return unclean.empty() && left.empty() ? 0 : 1;
}

Result<std::string> architecture() {
  KW_ASSIGN(const launch::cu::Table* api, launch::load_driver());
  KW_ASSIGN(const launch::DeviceFacts facts, launch::device_facts(*api, 0));
  return facts.arch;
}

}  // namespace

Result<int> drive(std::span<char*> words) {
  KW_ASSIGN(const Arguments a, read(words));
  KW_ASSIGN(const std::vector<Case> all, cases());
  std::vector<const Case*> list;
  for (const Case& c : all) {
    if (c.name.find(a.only) == std::string::npos || c.slow) continue;
    if (!c.hostile || is_sanitizer_case(c)) list.push_back(&c);
  }
  std::string arch = a.arch;
  if (arch.empty()) {
    KW_ASSIGN(arch, architecture());
  }
  KW_ASSIGN(Lines lines, Lines::open(a.lines));
  std::string folder = (std::filesystem::temp_directory_path() / "kw_sanitize_XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr)
    return fail(Errc::Io, "cannot make a folder '{}'", folder);
  const std::filesystem::path modules = folder;
  const auto uses = compile_all(list, arch, a.parallel, modules);
  if (!uses) return tl::unexpected(uses.error());
  std::set<Run> wanted;
  for (const Work& work : plan_work(list, *uses, a.tools, {}, 1)) {
    for (const Case* c : work.cases) wanted.insert({c->name, work.tool});
  }
  const std::vector<Work> works =
      plan_work(list, *uses, a.tools, lines.done(), static_cast<std::size_t>(a.parallel));
  if (a.list) {
    for (const Work& work : works) {
      fmt::print("{}", work.tool);
      for (const Case* c : work.cases) fmt::print(" {}", c->name);
      fmt::print("\n");
    }
    fmt::print("{} runs in {} processes\n", wanted.size(), works.size());
  } else {
    const std::string self = own_path();
    in_threads(a.parallel, works.size(),
               [&](std::size_t i) { perform(works[i], self, modules, a.until, lines); });
  }
  std::error_code ignored;
  std::filesystem::remove_all(modules, ignored);
  return a.list ? 0 : summarise(a, list, lines, wanted);
}

}  // namespace kw::redteam
