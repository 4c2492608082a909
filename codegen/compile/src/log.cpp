#include "log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "nvrtc.h"

namespace kw::compile {

namespace {

using Severity = Diagnostic::Severity;

constexpr std::size_t kMaxDiagnostics = 64;
constexpr std::size_t kMaxTextBytes = 512;

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::optional<int> leading_number(std::string_view text) {
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || value < 0) return std::nullopt;
  return value;
}

struct Located {
  std::string_view file;
  int line = 0;
  Severity severity = Severity::Error;
  std::string_view text;
};

/// "FILE(LINE): error #123-D: TEXT"
std::optional<Located> parse_located(std::string_view line) {
  const auto open = line.find('(');
  const auto close = line.find("): ", open == std::string_view::npos ? 0 : open);
  if (open == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
  const auto number = leading_number(line.substr(open + 1, close - open - 1));
  if (!number) return std::nullopt;
  Located out{line.substr(0, open), *number, Severity::Error, {}};
  std::string_view rest = line.substr(close + 3);
  struct Word {
    std::string_view text;
    Severity severity;
  };
  static constexpr std::array<Word, 6> kWords{{{"error", Severity::Error},
                                               {"catastrophic error", Severity::Error},
                                               {"internal error", Severity::Error},
                                               {"warning", Severity::Warning},
                                               {"remark", Severity::Note},
                                               {"note", Severity::Note}}};
  for (const Word& word : kWords) {
    if (!rest.starts_with(word.text)) continue;
    const auto colon = rest.find(": ");
    if (colon == std::string_view::npos) return std::nullopt;
    out.severity = word.severity;
    out.text = trim(rest.substr(colon + 2));
    return out;
  }
  return std::nullopt;
}

/// The candidate's line in force at a line of its PTX: the last `.loc` at or above it.
int source_line(std::string_view ptx, int ptx_line) {
  int line = 0;
  std::size_t at = 0;
  for (int number = 1; number <= ptx_line && at < ptx.size(); ++number) {
    const std::size_t end = std::min(ptx.find('\n', at), ptx.size());
    const std::string_view text = trim(ptx.substr(at, end - at));
    if (text.starts_with(".loc")) {
      const std::string_view rest = trim(text.substr(4));
      const auto space = rest.find_first_of(" \t");
      if (leading_number(rest) == 1 && space != std::string_view::npos) {
        line = leading_number(trim(rest.substr(space))).value_or(line);
      }
    }
    at = end + 1;
  }
  return line;
}

/// "ptxas NAME, line 29; error   : TEXT"
std::optional<Diagnostic> parse_assembler(std::string_view line, std::string_view ptx) {
  if (!line.starts_with("ptxas")) return std::nullopt;
  const auto at = line.find(", line ");
  const auto semicolon = line.find(';', at == std::string_view::npos ? 0 : at);
  const auto colon = line.find(" : ");
  if (at == std::string_view::npos || semicolon == std::string_view::npos ||
      colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto number = leading_number(line.substr(at + 7));
  const bool warning = line.substr(semicolon).starts_with("; warning");
  return Diagnostic{warning ? Severity::Warning : Severity::Error,
                    number ? source_line(ptx, *number) : 0,
                    "assembler: " + std::string(trim(line.substr(colon + 3)))};
}

/// "detected during instantiation of ... at line 6", possibly "... at line 6 of candidate.cu".
std::optional<int> instantiation_line(std::string_view line) {
  const auto at = line.find("at line ");
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = line.substr(at + 8);
  const auto of = rest.find(" of ");
  if (of != std::string_view::npos && trim(rest.substr(of + 4)) != kVirtualName) {
    return std::nullopt;
  }
  return leading_number(rest);
}

class LogReader {
 public:
  LogReader(std::string_view ptx, const std::vector<std::string>& headers)
      : ptx_(ptx), headers_(headers) {}

  void line(std::string_view text) {
    if (const auto located = parse_located(text)) {
      close_header();
      if (located->file == kVirtualName) {
        add({located->severity, located->line, std::string(located->text)});
      } else if (located->severity == Severity::Error &&
                 std::ranges::find(headers_, located->file) != headers_.end()) {
        header_ = Diagnostic{Severity::Error, 0,
                             fmt::format("in <{}>: {}", located->file, located->text)};
      }
    } else if (auto assembler = parse_assembler(text, ptx_)) {
      close_header();
      add(std::move(*assembler));
    } else if (header_) {
      if (const auto from = instantiation_line(text)) header_->line = *from;
    }
  }

  std::vector<Diagnostic> finish() {
    close_header();
    std::ranges::stable_sort(found_, {},
                             [](const Diagnostic& d) { return static_cast<int>(d.severity); });
    if (found_.size() > kMaxDiagnostics) found_.resize(kMaxDiagnostics);
    return std::move(found_);
  }

 private:
  void close_header() {
    if (header_) add(std::move(*header_));
    header_.reset();
  }
  void add(Diagnostic diagnostic) {
    diagnostic.text = clean_utf8(diagnostic.text.substr(0, kMaxTextBytes));
    found_.push_back(std::move(diagnostic));
  }

  std::string_view ptx_;
  const std::vector<std::string>& headers_;
  std::optional<Diagnostic> header_;
  std::vector<Diagnostic> found_;
};

/// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool surrogate = lead == 0xED && second > 0x9F;
  const bool beyond = lead == 0xF4 && second > 0x8F;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

std::string clean_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const auto lead = static_cast<unsigned char>(text[0]);
    if (length == 0 || (lead < 0x20 && lead != '\t' && lead != '\n') || lead == 0x7F) {
      out += '?';
      text.remove_prefix(1);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

std::vector<Diagnostic> parse_log(std::string_view log, std::string_view ptx,
                                  const std::vector<std::string>& headers) {
  LogReader reader(ptx, headers);
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    reader.line(log.substr(0, end));
    log.remove_prefix(std::min(end + 1, log.size()));
  }
  return reader.finish();
}

}  // namespace kw::compile
