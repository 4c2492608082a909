// Mutates PTX in its own terms - statements and operands - so that most mutants still parse. One
// mutant in eight is left to libFuzzer's own byte-wise mutations.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr const char* kNumbers[] = {"0",          "1",  "-1",          "7",
                                    "32",         "33", "65535",       "2147483647",
                                    "4294967295", "-8", "0x7fffffff0", "18446744073709551615"};
constexpr const char* kModifiers[] = {
    ".s8",    ".u8",    ".b16",   ".u32",      ".s32",     ".b32", ".u64",    ".s64",
    ".f16",   ".bf16",  ".f16x2", ".f32",      ".f64",     ".v2",  ".v4",     ".rn",
    ".rz",    ".ftz",   ".sat",   ".wide",     ".hi",      ".lo",  ".shared", ".global",
    ".local", ".const", ".param", ".volatile", ".relaxed", ".gpu", ".cta",    ".approx"};

bool in_token(char c) {
  return c == '%' || c == '$' || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

struct Span {
  std::size_t begin, length;
};

std::vector<Span> lines_of(std::string_view text) {
  std::vector<Span> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1);
    lines.push_back({at, end - at + 1});
    at = end + 1;
  }
  return lines;
}

std::vector<Span> tokens_of(std::string_view text) {
  std::vector<Span> tokens;
  for (std::size_t at = 0; at < text.size();) {
    if (!in_token(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && in_token(text[end])) ++end;
    tokens.push_back({at, end - at});
    at = end;
  }
  return tokens;
}

void mutate(std::string& text, std::mt19937& random) {
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  if (random() % 2 == 0) {  // statements
    const auto lines = lines_of(text);
    if (lines.empty()) return;
    const Span from = lines[pick(lines.size())], to = lines[pick(lines.size())];
    const std::string moved = text.substr(from.begin, from.length);
    switch (random() % 3) {
      case 0:
        text.erase(from.begin, from.length);
        break;
      case 1:
        text.insert(to.begin, moved);
        break;
      default:
        text.replace(to.begin, to.length, moved);
    }
    return;
  }
  const auto tokens = tokens_of(text);
  if (tokens.empty()) return;
  const Span from = tokens[pick(tokens.size())], to = tokens[pick(tokens.size())];
  switch (random() % 4) {
    case 0:
      text.replace(to.begin, to.length, kNumbers[pick(std::size(kNumbers))]);
      break;
    case 1:
      text.insert(to.begin + to.length, kModifiers[pick(std::size(kModifiers))]);
      break;
    default:
      text.replace(to.begin, to.length, text.substr(from.begin, from.length));
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  std::mt19937 random(seed);
  if (random() % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string text(reinterpret_cast<const char*>(data), size);
  for (unsigned rounds = 1 + random() % 4; rounds > 0; --rounds) mutate(text, random);
  const std::size_t length = std::min(text.size(), max_size);
  std::memcpy(data, text.data(), length);
  return length;
}
