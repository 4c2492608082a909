#include "source_scan.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace kw::compile {

namespace {

struct Char {
  char c = '\0';
  int line = 0;
};

/// Phases 1 and 2 of translation, for the two trigraphs that matter here: splices are gone.
std::vector<Char> logical_characters(std::string_view text) {
  std::vector<Char> out;
  out.reserve(text.size());
  int line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t length = 1;
    char c = text[i];
    if (text.substr(i, 3) == "?\?=") c = '#', length = 3;
    if (text.substr(i, 3) == "?\?/") c = '\\', length = 3;
    if (c == '\\') {
      std::size_t end = i + length;
      while (end < text.size() && (text[end] == ' ' || text[end] == '\t' || text[end] == '\r')) {
        ++end;
      }
      if (end < text.size() && text[end] == '\n') {
        ++line;
        i = end;
        continue;
      }
    }
    out.push_back({c, line});
    if (c == '\n') ++line;
    i += length - 1;
  }
  return out;
}

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Scanner {
 public:
  explicit Scanner(std::string_view source) : text_(logical_characters(source)) {}

  SourceScan run() {
    bool line_start = true;
    while (at_ < text_.size()) {
      if (skip_comment()) continue;
      const char c = peek();
      if (c == '\n') {
        line_start = true;
        ++at_;
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
      } else if (line_start && (c == '#' || (c == '%' && peek(1) == ':'))) {
        at_ += c == '#' ? 1 : 2;
        directive();
        line_start = false;
      } else {
        line_start = false;
        token();
      }
    }
    return std::move(result_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead].c : '\0';
  }
  int line() const { return at_ < text_.size() ? text_[at_].line : 0; }

  void refuse(int line, std::string text) {
    result_.refusals.push_back({Diagnostic::Severity::Error, line, std::move(text)});
  }

  bool skip_comment() {
    if (peek() != '/') return false;
    if (peek(1) == '/') {
      while (at_ < text_.size() && peek() != '\n') ++at_;
      return true;
    }
    if (peek(1) != '*') return false;
    at_ += 2;
    while (at_ < text_.size() && !(peek() == '*' && peek(1) == '/')) ++at_;
    at_ = std::min(at_ + 2, text_.size());
    return true;
  }

  void skip_blanks() {
    while (at_ < text_.size()) {
      if (peek() == '/' && peek(1) == '/') return;
      if (skip_comment()) continue;
      if (peek() == '\n' || std::isspace(static_cast<unsigned char>(peek())) == 0) return;
      ++at_;
    }
  }

  std::string name() {
    std::string out;
    while (in_name(peek())) out += text_[at_++].c;
    return out;
  }

  void literal(char quote) {
    ++at_;
    while (at_ < text_.size() && peek() != quote && peek() != '\n') {
      at_ += peek() == '\\' ? 2 : 1;
    }
    if (peek() == quote) ++at_;
  }

  void raw_literal() {
    ++at_;  // the quote
    std::string close = ")";
    while (at_ < text_.size() && peek() != '(' && close.size() < 18) close += text_[at_++].c;
    close += '"';
    while (at_ < text_.size()) {
      std::size_t same = 0;
      while (same < close.size() && peek(same) == close[same]) ++same;
      if (same == close.size()) {
        at_ += same;
        return;
      }
      ++at_;
    }
  }

  void token() {
    const char c = peek();
    if (c == '"' || c == '\'') return literal(c);
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {  // 1'000 is one token
      while (in_name(peek()) || peek() == '.' || (peek() == '\'' && in_name(peek(1)))) ++at_;
      return;
    }
    if (!starts_name(c)) {
      ++at_;
      return;
    }
    const int where = line();
    const std::string word = name();
    static constexpr std::array<std::string_view, 5> kRaw{"R", "LR", "uR", "UR", "u8R"};
    if (peek() == '"' && std::ranges::find(kRaw, word) != kRaw.end()) return raw_literal();
    check_word(word, where);
  }

  void check_word(std::string_view word, int where) {
    if (word == "__DATE__" || word == "__TIME__" || word == "__TIMESTAMP__") {
      refuse(where,
             std::string(word) + " is refused: a kernel must not depend on when it is built");
    } else if (word == "__has_include" || word == "__has_include_next") {
      refuse(where, std::string(word) + " is refused: include the header or leave it out");
    } else if (word == "_Pragma") {
      pragma_operator(where);
    }
  }

  void pragma_operator(int where) {
    const std::size_t back = at_;
    skip_blanks();
    std::string text;
    if (peek() == '(') {
      ++at_;
      skip_blanks();
      if (peek() == '"') {
        ++at_;
        while (at_ < text_.size() && peek() != '"' && peek() != '\n') text += text_[at_++].c;
      }
    }
    const auto first = text.find_first_not_of(" \t");
    const std::string_view body =
        first == std::string::npos ? std::string_view{} : std::string_view(text).substr(first);
    if (body.starts_with("unroll") || body.starts_with("nounroll")) return;
    at_ = back;
    refuse(where, "_Pragma is refused, but for \"unroll\" and \"nounroll\"");
  }

  void directive() {
    const int where = line();
    skip_blanks();
    if (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
      return refuse(where, "line markers are refused");
    }
    const std::string word = name();
    if (word == "line") return refuse(where, "#line is refused: diagnostics name your own lines");
    if (word != "include" && word != "include_next" && word != "import") return;
    skip_blanks();
    const char open = peek();
    if (open != '<' && open != '"') {
      return refuse(where, "an #include whose name is a macro is refused: write the name");
    }
    const char close = open == '<' ? '>' : '"';
    ++at_;
    std::string header;
    while (at_ < text_.size() && peek() != close && peek() != '\n') header += text_[at_++].c;
    if (peek() == close) ++at_;
    result_.includes.push_back({std::move(header), open == '"', where});
  }

  std::vector<Char> text_;
  std::size_t at_ = 0;
  SourceScan result_;
};

}  // namespace

SourceScan scan_source(std::string_view source) { return Scanner(source).run(); }

}  // namespace kw::compile
