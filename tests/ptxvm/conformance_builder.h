#pragma once
// The text of conformance cases: operands read from the record at %rd1, results written to %rd2.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "ptxvm/conformance.h"

namespace kw::ptxvm::conformance {

using Names = std::initializer_list<std::string_view>;

inline std::size_t bits_of(std::string_view type) {
  if (type == "f16" || type == "bf16") return 16;
  if (type == "f16x2" || type == "bf16x2") return 32;
  return static_cast<std::size_t>(std::stoul(std::string(type.substr(1))));
}

inline std::string number(std::string_view prefix, int n) {
  return std::string(prefix) + std::to_string(n);
}

// The register that holds operand n; %h, %r, %rd for bits, %f and %fd for f32 and f64.
inline std::string reg(std::string_view type, int n) {
  if (type == "f32") return number("%f", n);
  if (type == "f64") return number("%fd", n);
  const std::size_t bits = bits_of(type);
  return bits <= 16 ? number("%h", n) : number(bits == 32 ? "%r" : "%rd", n + 10);
}
inline std::string memory_type(std::string_view type) {
  if (type == "f16" || type == "bf16") return "b16";
  if (type == "f16x2" || type == "bf16x2") return "b32";
  return std::string(type);
}
inline std::string load(std::string_view type, int n) {
  return "ld.global." + memory_type(type) + " " + reg(type, n) + ", [%rd1+" +
         std::to_string(16 * n) + "];\n";
}
inline std::string store(std::string_view type, int n) {
  return "st.global." + memory_type(type) + " [%rd2], " + reg(type, n) + ";\n";
}

inline std::string cat(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view p : parts) out += p;
  return out;
}

class Builder {
 public:
  std::vector<Case> list;

  void add(const std::string& name, std::string_view type, std::size_t bytes,
           const std::string& body) {
    const bool approximate =
        name.find("approx") != std::string::npos || name.starts_with("div.full");
    list.push_back({name, std::string(type), bytes, module_of(body), approximate});
  }
  // `instruction` on sources of the given types, into a register of type d.
  void op(const std::string& instruction, std::string_view d, Names sources,
          const std::string& immediate = "") {
    std::string body, operands;
    int n = 0;
    for (const std::string_view type : sources) {
      body += load(type, n);
      operands += (n == 0 ? "" : ", ") + reg(type, n);
      ++n;
    }
    body += instruction + " " + reg(d, 8) + ", " + operands + immediate + ";\n" + store(d, 8);
    add(instruction + immediate, *sources.begin(), bits_of(d) / 8, body);
  }
};

}  // namespace kw::ptxvm::conformance
