#include "lines.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "kw/core/json.h"

namespace kw::redteam {

Lines::Lines(Lines&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      done_(std::move(other.done_)),
      unclean_(std::move(other.unclean_)) {}

Lines::~Lines() {
  if (file_ != nullptr && file_ != stdout) std::fclose(file_);
}

Status Lines::take(const std::string& line) {
  KW_ASSIGN(const Json json, parse_json(line));
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  KW_ASSIGN(std::string name, reader.string("case"));
  KW_ASSIGN(std::string tool, reader.string("tool"));
  KW_ASSIGN(const bool clean, reader.boolean_or("clean", false));
  Run run{std::move(name), std::move(tool)};
  if (!clean) unclean_.insert(run);
  done_.insert(std::move(run));
  return {};
}

Result<Lines> Lines::open(const std::string& path) {
  Lines lines;
  if (path.empty()) {
    lines.file_ = stdout;
    return lines;
  }
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const std::size_t whole = text.rfind('\n') + 1;  // 0 where there is none
  for (std::size_t at = 0; at < whole;) {
    const std::size_t end = text.find('\n', at);
    if (auto taken = lines.take(text.substr(at, end - at)); !taken) {
      return tl::unexpected(wrap(std::move(taken).error(), path));
    }
    at = end + 1;
  }
  std::error_code wrong;
  if (whole < text.size()) std::filesystem::resize_file(path, whole, wrong);
  lines.file_ = std::fopen(path.c_str(), "ab");
  if (wrong || lines.file_ == nullptr) return fail(Errc::Io, "cannot write '{}'", path);
  return lines;
}

void Lines::add(const Case& c, const std::string& tool, const Seen& seen) {
  const bool clean = seen.reports.empty() && seen.how == "ran";
  const std::lock_guard lock(mutex_);
  fmt::print(file_, "{}\n",
             dump({{"case", c.name},
                   {"tool", tool},
                   {"clean", clean},
                   {"run", seen.how.empty() ? "ended early" : seen.how},
                   {"reports", seen.reports}}));
  std::fflush(file_);
  done_.insert({c.name, tool});
  if (!clean) unclean_.insert({c.name, tool});
}

}  // namespace kw::redteam
