#include <algorithm>
#include <array>
#include <cctype>

#include "answer.h"

namespace kw::agent {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// Comments and the insides of literals become blanks; lines stay where they are.
std::string blank_literals(std::string_view source) {
  std::string out(source);
  enum class In { Code, LineComment, BlockComment, String, Character } in = In::Code;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    const char next = i + 1 < source.size() ? source[i + 1] : '\0';
    const bool escaped = c == '\\' && (in == In::String || in == In::Character);
    switch (in) {
      case In::Code:
        if (c == '/' && next == '/') in = In::LineComment;
        if (c == '/' && next == '*') in = In::BlockComment;
        if (c == '"') in = In::String;
        // A quote after a digit or letter separates digits (1'000) or prefixes a literal.
        if (c == '\'' && (i == 0 || !is_word(source[i - 1]))) in = In::Character;
        if (in == In::LineComment || in == In::BlockComment) out[i] = ' ';
        continue;
      case In::LineComment:
        if (c == '\n') in = In::Code;
        break;
      case In::BlockComment:
        if (c == '*' && next == '/') {
          out[i] = out[i + 1] = ' ';
          ++i;
          in = In::Code;
          continue;
        }
        break;
      case In::String:
        if (c == '"' || c == '\n') in = In::Code;
        break;
      case In::Character:
        if (c == '\'' || c == '\n') in = In::Code;
        break;
    }
    if (c != '\n' && in != In::Code) out[i] = ' ';
    if (escaped && i + 1 < source.size() && next != '\n') out[++i] = ' ';
  }
  return out;
}

bool allowed_header(std::string_view name) {
  static constexpr std::array kNames = {"cuda_fp16.h",        "cuda_bf16.h",
                                        "cuda_fp8.h",         "cuda_fp6.h",
                                        "cuda_fp4.h",         "mma.h",
                                        "cuda_pipeline.h",    "cooperative_groups.h",
                                        "math_constants.h",   "device_functions.h",
                                        "cuda_runtime.h",     "cuda_pipeline_primitives.h",
                                        "sm_61_intrinsics.h", "vector_types.h",
                                        "vector_functions.h", "device_launch_parameters.h"};
  static constexpr std::array kFolders = {"cub/", "cuda/", "cooperative_groups/",
                                          "crt/", "cute/", "cutlass/"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         std::any_of(kFolders.begin(), kFolders.end(),
                     [&](const char* folder) { return name.starts_with(folder); });
}

/// Names that only host code uses. A trailing '*' matches any continuation.
constexpr std::array kHostNames = {"cudaMalloc*",
                                   "cudaMemcpy*",
                                   "cudaMemset*",
                                   "cudaFree*",
                                   "cudaLaunch*",
                                   "cudaStream*",
                                   "cudaEvent*",
                                   "cudaGetLast*",
                                   "cudaDeviceSync*",
                                   "cuLaunch*",
                                   "cuMem*",
                                   "cuModule*",
                                   "torch",
                                   "at",
                                   "pybind11",
                                   "PYBIND11_MODULE",
                                   "TORCH_LIBRARY",
                                   "cublas*",
                                   "cudnn*",
                                   "thrust",
                                   "std"};

bool matches(std::string_view word, std::string_view pattern) {
  if (pattern.ends_with('*')) return word.starts_with(pattern.substr(0, pattern.size() - 1));
  return word == pattern;
}

/// "at", "std", "torch" and "thrust" are host code only as a namespace.
bool needs_scope(std::string_view pattern) {
  return pattern == "at" || pattern == "std" || pattern == "torch" || pattern == "thrust";
}

std::string at_line(std::string_view what, int line) {
  return fmt::format("line {}: {}; a candidate is device code only, its launches are in the plan",
                     line, what);
}

}  // namespace

std::string find_host_code(std::string_view source) {
  const std::string code = blank_literals(source);
  int line = 1;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == '\n') ++line;
    if (code.compare(i, 3, "<<<") == 0) return at_line("a kernel launch (<<<)", line);
    if (code[i] == '#') {
      std::size_t at = code.find_first_not_of(" \t", i + 1);
      if (at != std::string::npos && code.compare(at, 7, "include") == 0) {
        const std::size_t end = std::min(source.find('\n', at), source.size());
        const std::string_view rest = source.substr(at + 7, end - at - 7);
        const std::size_t open = rest.find_first_of("<\"");
        const std::size_t close =
            open == std::string_view::npos ? open : rest.find_first_of(">\"", open + 1);
        if (close != std::string_view::npos) {
          const std::string_view name = rest.substr(open + 1, close - open - 1);
          if (!allowed_header(name)) {
            return at_line(fmt::format("#include of '{}', which is no device header", name), line);
          }
        }
        i = end - 1;
      }
      continue;
    }
    if (!is_word(code[i]) || (i > 0 && is_word(code[i - 1]))) continue;
    std::size_t end = i;
    while (end < code.size() && is_word(code[end])) ++end;
    const std::string_view word = std::string_view(code).substr(i, end - i);
    const std::size_t next = code.find_first_not_of(" \t\r\n", end);
    const bool scoped = next != std::string::npos && code.compare(next, 2, "::") == 0;
    const bool nested = i >= 2 && code.compare(i - 2, 2, "::") == 0;  // cuda::std::
    if (word == "main" && next != std::string::npos && code[next] == '(') {
      return at_line("a main() function", line);
    }
    for (const std::string_view pattern : kHostNames) {
      if (!matches(word, pattern) || nested) continue;
      if (needs_scope(pattern) && !scoped) continue;
      return at_line(fmt::format("'{}'", word), line);
    }
  }
  return {};
}

}  // namespace kw::agent
