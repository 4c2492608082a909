#include "output.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "kw/core/json.h"

namespace kw::agent {

void print_error(const Error& error, std::string_view command, bool json) {
  if (json) {
    const Json doc = {{"v", 1},
                      {"kind", "error"},
                      {"command", command},
                      {"error", {{"code", to_string(error.code)}, {"message", error.message}}}};
    (void)print(dump(doc) + "\n");
    return;
  }
  fmt::print(stderr, "kernelwright: {}\n", error.message);
}

Status print(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written) return fail(Errc::Io, "could not write to stdout");
  return {};
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += fmt::format("{:<{}}", row[i], widths[i]);
      if (i + 1 < row.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string seconds_text(double seconds) {
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 100) return fmt::format("{:.2f} s", seconds);
  return fmt::format("{:.0f} min {:.0f} s", static_cast<double>(static_cast<int>(seconds / 60)),
                     seconds - 60.0 * static_cast<int>(seconds / 60));
}

std::string microseconds_text(double us) {
  return us < 1000 ? fmt::format("{:.1f} us", us) : fmt::format("{:.2f} ms", us / 1000);
}

Progress::Progress(bool forced) : terminal_(isatty(STDERR_FILENO) != 0) {
  enabled_ = forced || terminal_;
}

Progress::~Progress() { clear(); }

void Progress::show(std::string_view line) {
  if (!enabled_) return;
  if (terminal_) {
    const std::string text(line.substr(0, 119));
    fmt::print(stderr, "\r{:<{}}", text, width_);
    width_ = text.size();
  } else {
    fmt::print(stderr, "{}\n", line);
  }
  std::fflush(stderr);
}

void Progress::clear() {
  if (!enabled_ || !terminal_ || width_ == 0) return;
  fmt::print(stderr, "\r{:<{}}\r", "", width_);
  std::fflush(stderr);
  width_ = 0;
}

}  // namespace kw::agent
