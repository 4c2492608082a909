#include "kw/ptxvm/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "coverage/forms.h"
#include "kw/ptxvm/program.h"

namespace kw::ptxvm {
namespace {

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// Every choice of one alternative from each bracket; brackets do not nest.
std::vector<std::string> alternatives(std::string_view text, char open, char between, char close) {
  std::vector<std::string> out{std::string()};
  while (!text.empty()) {
    const std::size_t begin = text.find(open);
    const std::size_t end = begin == std::string_view::npos ? begin : text.find(close, begin);
    for (std::string& each : out) each += text.substr(0, begin);
    if (end == std::string_view::npos) break;
    const auto choices = split(text.substr(begin + 1, end - begin - 1), between);
    std::vector<std::string> longer;
    for (const std::string& each : out) {
      for (const std::string& choice : choices) longer.push_back(each + choice);
    }
    out = std::move(longer);
    text.remove_prefix(end + 1);
  }
  for (std::string& each : out) {
    while (each.ends_with('.')) each.pop_back();
  }
  return out;
}

/// The letter of the registers that hold a value of this type; 0 if the word is no type.
char register_of(std::string_view type) {
  static const std::map<std::string_view, char> kLetters{
      {"pred", 'p'},  {"b8", 'h'},     {"u8", 'h'},    {"s8", 'h'},    {"b16", 'h'},  {"u16", 'h'},
      {"s16", 'h'},   {"f16", 'h'},    {"bf16", 'h'},  {"b32", 'r'},   {"u32", 'r'},  {"s32", 'r'},
      {"f16x2", 'r'}, {"bf16x2", 'r'}, {"u16x2", 'r'}, {"s16x2", 'r'}, {"tf32", 'r'}, {"b64", 'd'},
      {"u64", 'd'},   {"s64", 'd'},    {"f32x2", 'd'}, {"b128", 'q'},  {"f32", 'f'},  {"f64", 'e'},
  };
  const auto known = kLetters.find(type);
  return known == kLetters.end() ? '\0' : known->second;
}

/// "{%f1, %f2}", counted from register `first`.
std::string vector_of(char letter, unsigned count, unsigned first) {
  std::string out;
  for (unsigned i = 0; i < count; ++i) {
    out += fmt::format("{}%{}{}", i == 0 ? "" : ", ", letter, first + i);
  }
  return "{" + out + "}";
}

/// The operands of an mma: every lane holds 1/32 of each matrix.
std::string mma_operands(const std::vector<std::string>& words) {
  unsigned m = 0, n = 0, k = 0;
  std::vector<std::string> types;
  for (const std::string& word : words) {
    if (std::sscanf(word.c_str(), "m%un%uk%u", &m, &n, &k) == 3) continue;
    static const std::map<std::string_view, unsigned> kBits{
        {"f64", 64}, {"f32", 32}, {"s32", 32}, {"tf32", 32}, {"f16", 16}, {"bf16", 16}, {"e4m3", 8},
        {"e5m2", 8}, {"s8", 8},   {"u8", 8},   {"s4", 4},    {"u4", 4},   {"b1", 1}};
    if (kBits.contains(word)) types.push_back(fmt::format("{}:{}", word, kBits.at(word)));
  }
  if (types.size() != 4) return {};
  const unsigned elements[] = {m * n, m * k, k * n, m * n};
  std::string out;
  for (unsigned i = 0; i < 4; ++i) {
    const auto parts = split(types[i], ':');
    const unsigned bits = static_cast<unsigned>(std::stoul(parts[1]));
    const bool whole = parts[0] == "f32" || parts[0] == "f64";
    const unsigned count = elements[i] * bits / 32 / (parts[0] == "f64" ? 64 : 32);
    out += (i == 0 ? "" : ", ") +
           vector_of(whole ? parts[0] == "f64" ? 'e' : 'f' : 'r', std::max(count, 1u), 1);
  }
  return out;
}

/// Operands of one form, from its pattern's.
std::string operands_of(std::string_view pattern, const std::vector<std::string>& words) {
  if (pattern == "MMA") return mma_operands(words);
  std::vector<char> types;
  for (auto word = words.rbegin(); word != words.rend(); ++word) {
    if (const char letter = register_of(*word)) types.push_back(letter);
  }
  const auto has = [&](std::string_view word) {
    return std::any_of(words.begin(), words.end(),
                       [&](const std::string& each) { return each.starts_with(word); });
  };
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool stands_for_a_type = (pattern[i] == 'T' || pattern[i] == 'U') &&
                                   i + 1 < pattern.size() && pattern[i + 1] >= '1' &&
                                   pattern[i + 1] <= '9' && (i == 0 || pattern[i - 1] != '%');
    const std::size_t nth = pattern[i] == 'U' ? 1 : 0;
    if (stands_for_a_type && nth < types.size()) {
      out += fmt::format("%{}", types[nth]);
    } else if (pattern.substr(i).starts_with("[%d8]")) {
      out += has("shared") ? "[%d7]" : has("local") ? "[%d6]" : has("const") ? "[%d5]" : "[%d8]";
      i += 4;
    } else {
      out += pattern[i];
    }
  }
  return out;
}

std::string version_for(std::string_view target) {
  return target.starts_with("sm_1") ? "8.8" : "8.5";
}

}  // namespace

std::string module_of(const InstructionForm& form) {
  const auto uses = [&](std::string_view word) {
    return form.statement.find(word) != std::string::npos;
  };
  std::string out =
      fmt::format(".version {}\n.target {}\n.address_size 64\n", form.ptx_version, form.target);
  out +=
      ".global .align 16 .b8 variable[256];\n"
      ".const .align 16 .b8 constant[256];\n";
  // What is refused by itself is there only where it is asked for.
  if (uses("texture")) out += ".global .texref texture;\n";
  if (uses("surface")) out += ".global .surfref surface;\n";
  out +=
      ".func callee()\n{\nret;\n}\n"
      ".func (.reg .b32 result) with_result(.reg .b32 value)\n{\nmov.b32 result, value;\nret;\n}\n";
  if (uses("recursive")) {
    out +=
        ".func recursive()\n{\n.reg .pred %p<2>;\nsetp.eq.u32 %p1, 0, 1;\n@%p1 call recursive;\n"
        "ret;\n}\n";
  }
  out +=
      ".visible .entry form()\n{\n"
      ".reg .pred %p<8>;\n.reg .b16 %h<17>;\n.reg .b32 %r<17>;\n.reg .b64 %d<17>;\n"
      ".reg .f32 %f<17>;\n.reg .f64 %e<17>;\n"
      ".shared .align 128 .b8 tile[256];\n.local .align 16 .b8 frame[256];\n"
      "mov.u64 %d8, variable;\ncvta.global.u64 %d9, %d8;\nmov.u32 %r8, tile;\nmov.u32 %r7, tile;\n"
      "mov.u64 %d7, tile;\nmov.u64 %d6, frame;\nmov.u64 %d5, constant;\n";
  if (uses("%q")) out += ".reg .b128 %q<4>;\n";
  if (uses("%b")) out += ".reg .b8 %b<4>;\n";
  if (uses("TABLE")) out += "TABLE: .branchtargets LABEL;\n";
  if (uses("PROTOTYPE")) {
    out += "PROTOTYPE: .callprototype _ ();\nmov.u64 %d1, callee;\n";
  }
  return out + form.statement + "\nLABEL:\nret;\n}\n";
}

std::vector<InstructionForm> coverage() {
  std::vector<InstructionForm> forms;
  for (const FormPattern& pattern : form_patterns()) {
    for (const std::string& operands : alternatives(pattern.operands, '<', '|', '>')) {
      for (const std::string& opcode : alternatives(pattern.opcode, '{', ',', '}')) {
        InstructionForm form;
        form.family = pattern.family;
        form.group = pattern.shown.empty() ? pattern.opcode : pattern.shown;
        form.opcode = opcode;
        const std::string written = operands_of(operands, split(opcode, '.'));
        form.statement = opcode + (written.empty() ? "" : " " + written) + ";";
        form.name =
            pattern.shown.empty() ? opcode : form.statement.substr(0, form.statement.size() - 1);
        form.target = pattern.target;
        form.ptx_version = version_for(pattern.target);
        const auto program = load(module_of(form));
        if (!program) {
          form.refusal = program.error();
        } else if (const auto& refusal = (*program)->find_kernel("form")->refusal) {
          form.refusal = *refusal;
        }
        forms.push_back(std::move(form));
      }
    }
  }
  return forms;
}

}  // namespace kw::ptxvm
