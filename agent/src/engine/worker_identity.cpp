#include "worker_identity.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <random>

namespace kw::agent {
namespace {

/// Where process ids mean what they mean here.
std::string here() {
  char host[256] = "localhost";
  (void)gethostname(host, sizeof host - 1);
  char space[64] = {};
  if (readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) space[0] = '\0';
  std::string name = fmt::format("{}/{}", host, space);
  for (char& c : name) {
    if (c == ':') c = '.';  // separates the parts of a worker's name
  }
  return name;
}

/// Field 22 of /proc/PID/stat, in clock ticks since boot; empty when there is no such process, or
/// when it is dead and its parent has not looked yet.
std::string start_time(std::string_view pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  std::size_t at = stat.rfind(')');  // the program's name may hold anything
  if (at == std::string::npos || at + 2 >= stat.size()) return {};
  if (stat[at + 2] == 'Z' || stat[at + 2] == 'X') return {};
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return {};
  return stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
}

std::string_view take_part(std::string_view& text) {
  const std::size_t colon = text.find(':');
  const std::string_view part = text.substr(0, colon);
  text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
  return part;
}

}  // namespace

std::string worker_name() {
  std::random_device random;
  const std::string pid = std::to_string(getpid());
  return fmt::format("{}:{}:{}:{:08x}", here(), pid, start_time(pid), random());
}

bool is_dead(std::string_view worker) {
  const std::string_view place = take_part(worker);
  const std::string_view pid = take_part(worker);
  const std::string_view started = take_part(worker);
  if (pid.empty() || started.empty() || place != here()) return false;
  if (pid.find_first_not_of("0123456789") != std::string_view::npos) return false;
  return start_time(pid) != started;
}

}  // namespace kw::agent
