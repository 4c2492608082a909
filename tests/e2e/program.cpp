#include "program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace kw::e2e {
namespace {

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments,
                 const std::vector<std::string>& environment) {
  std::string pattern = std::filesystem::temp_directory_path() / "kw_e2e_XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  directory_ = pattern;
  std::vector<std::string> argv{KW_PROGRAM};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::vector<std::string> env = environment;
  for (char** each = environ; *each; ++each) env.emplace_back(*each);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, (directory_ + "/out").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, (directory_ + "/err").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int rc = posix_spawn(&pid_, KW_PROGRAM, &actions, nullptr, pointers(argv).data(),
                             pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) throw std::runtime_error("posix_spawn");
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void Program::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

std::optional<Ended> Program::wait(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  int status = 0;
  for (;;) {
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) break;
    if (std::chrono::steady_clock::now() > until) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  pid_ = -1;
  Ended ended;
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  ended.out = read_all(directory_ + "/out");
  ended.err = read_all(directory_ + "/err");
  return ended;
}

Ended run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  Program program(arguments, environment);
  auto ended = program.wait(std::chrono::minutes(2));
  if (!ended) return {-1, -1, {}, "did not end within two minutes"};
  return *ended;
}

std::vector<pid_t> living_descendants() {
  std::map<pid_t, pid_t> parent;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = read_all(entry.path() / "stat");
    const std::size_t paren = stat.rfind(')');  // the name in front may hold anything
    if (paren == std::string::npos || paren + 4 > stat.size() || stat[paren + 2] == 'Z') continue;
    parent[static_cast<pid_t>(std::stol(name))] =
        static_cast<pid_t>(std::strtol(stat.c_str() + paren + 4, nullptr, 10));
  }
  std::vector<pid_t> found;
  for (const auto& [pid, unused] : parent) {
    pid_t at = pid;
    for (int depth = 0; depth < 64 && at > 1; ++depth) {
      const auto up = parent.find(at);
      if (up == parent.end()) break;
      at = up->second;
      if (at == ::getpid()) {
        found.push_back(pid);
        break;
      }
    }
  }
  return found;
}

}  // namespace kw::e2e
