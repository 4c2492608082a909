#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/process/fd.h"

namespace kw::process {

namespace {

struct Entry {
  pid_t pid = 0, parent = 0, session = 0;
};

std::optional<Entry> read_entry(const char* name) {
  pid_t pid = 0;
  const char* end = name + std::strlen(name);
  if (std::from_chars(name, end, pid).ptr != end) return std::nullopt;
  const Fd file(::open(("/proc/" + std::string(name) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::array<char, 512> text{};
  const ssize_t size = ::read(file.get(), text.data(), text.size() - 1);
  if (size <= 0) return std::nullopt;
  // "pid (name) state ppid pgrp session ...", and the name may hold anything.
  const std::string_view all(text.data(), static_cast<std::size_t>(size));
  const std::size_t close = all.rfind(')');
  if (close == std::string_view::npos || close + 4 >= all.size()) return std::nullopt;
  std::array<pid_t, 3> fields{};
  const char* at = all.data() + close + 4;
  for (pid_t& field : fields) {
    const auto parsed = std::from_chars(at, all.data() + all.size(), field);
    if (parsed.ec != std::errc{}) return std::nullopt;
    at = parsed.ptr + 1;
  }
  return Entry{pid, fields[0], fields[2]};
}

std::vector<Entry> all_processes() {
  std::vector<Entry> out;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc"), ::closedir);
  if (dir == nullptr) return out;
  while (const dirent* item = ::readdir(dir.get())) {
    if (const auto entry = read_entry(item->d_name)) out.push_back(*entry);
  }
  return out;
}

}  // namespace

void kill_tree(pid_t root) noexcept try {
  std::vector<pid_t> doomed{root};
  ::kill(root, SIGSTOP);
  for (int round = 0; round < 64; ++round) {
    const std::size_t before = doomed.size();
    for (const Entry& entry : all_processes()) {
      const bool known = std::ranges::find(doomed, entry.pid) != doomed.end();
      const bool ours =
          entry.session == root || std::ranges::find(doomed, entry.parent) != doomed.end();
      if (known || !ours) continue;
      ::kill(entry.pid, SIGSTOP);
      doomed.push_back(entry.pid);
    }
    if (doomed.size() == before) break;
  }
  for (auto pid = doomed.rbegin(); pid != doomed.rend(); ++pid) ::kill(*pid, SIGKILL);
} catch (...) {
  ::kill(root, SIGKILL);  // out of memory while listing: at least the root goes
}

}  // namespace kw::process
