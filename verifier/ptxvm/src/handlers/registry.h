#pragma once
// Handlers by name. Names are canonical opcodes ("add.ftz.f32", lower/canonical.h) or internal ones
// that begin with '$'. Handler files built for several instruction sets register the same names
// once per set.

#include <cstdint>

#include "exec/code.h"

namespace kw::ptxvm {

enum class Isa : std::uint8_t { Baseline, Avx2, Avx512 };
inline constexpr unsigned kIsaCount = 3;

class Registry {
 public:
  explicit Registry(Isa isa) : isa_(isa) {}

  /// Out of line, so that no code for a newer instruction set lands in a shared inline function.
  void add(const char* name, Handler handler, Signature signature);
  /// Same for a handler named by parts joined with dots; empty parts are skipped.
  void add(const char* base, const char* mid, const char* suffix, Handler handler,
           Signature signature);

 private:
  Isa isa_;
};

struct HandlerEntry {
  const char* name;
  Signature signature;
  Handler run[kIsaCount];  // nullptr where not built; use the next lower set
};

/// The handler's number, or -1.
int find_handler(const char* name);
const HandlerEntry& handler_entry(int number);
/// The newest handler not above `isa`.
Handler handler_for(int number, Isa isa);
/// What this CPU runs of what was built.
Isa best_isa();

}  // namespace kw::ptxvm
