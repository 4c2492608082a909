#include "handlers/registry.h"

#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "handlers/families.h"

namespace kw::ptxvm {
namespace {

struct Table {
  std::deque<HandlerEntry> entries;
  std::deque<std::string> names;
  std::unordered_map<std::string_view, int> numbers;
};

Table& building() {
  static Table table;
  return table;
}

const Table& table() {
  static const bool filled = [] {
    Registry baseline(Isa::Baseline);
#define KW_REGISTER(name) baseline::register_##name(baseline);
    KW_PTXVM_FAST_FAMILIES(KW_REGISTER)
    KW_PTXVM_PLAIN_FAMILIES(KW_REGISTER)
#undef KW_REGISTER
#ifdef KW_PTXVM_HAVE_AVX
    Registry two(Isa::Avx2), five(Isa::Avx512);
#define KW_REGISTER(name)                                  \
  if (best_isa() >= Isa::Avx2) avx2::register_##name(two); \
  if (best_isa() >= Isa::Avx512) avx512::register_##name(five);
    KW_PTXVM_FAST_FAMILIES(KW_REGISTER)
#undef KW_REGISTER
#endif
    return true;
  }();
  (void)filled;
  return building();
}

}  // namespace

void Registry::add(const char* name, Handler handler, Signature signature) {
  Table& t = building();
  auto it = t.numbers.find(name);
  if (it == t.numbers.end()) {
    t.names.emplace_back(name);
    it = t.numbers.emplace(t.names.back(), static_cast<int>(t.entries.size())).first;
    t.entries.push_back({t.names.back().c_str(), signature, {}});
  }
  t.entries[static_cast<std::size_t>(it->second)].run[static_cast<unsigned>(isa_)] = handler;
}

void Registry::add(const char* base, const char* mid, const char* suffix, Handler handler,
                   Signature signature) {
  std::string name = base;
  for (const char* part : {mid, suffix}) {
    if (*part == '\0') continue;
    name += '.';
    name += part;
  }
  add(name.c_str(), handler, signature);
}

int find_handler(const char* name) {
  const Table& t = table();
  const auto it = t.numbers.find(name);
  return it == t.numbers.end() ? -1 : it->second;
}

const HandlerEntry& handler_entry(int number) {
  return table().entries[static_cast<std::size_t>(number)];
}

Handler handler_for(int number, Isa isa) {
  const HandlerEntry& entry = handler_entry(number);
  for (unsigned i = static_cast<unsigned>(isa) + 1; i-- > 0;) {
    if (entry.run[i] != nullptr) return entry.run[i];
  }
  return nullptr;
}

Isa best_isa() {
#ifdef KW_PTXVM_HAVE_AVX
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
    return Isa::Avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2"))
    return Isa::Avx2;
#endif
  return Isa::Baseline;
}

}  // namespace kw::ptxvm
