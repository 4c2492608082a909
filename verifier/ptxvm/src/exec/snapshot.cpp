#include "exec/snapshot.h"

#include <algorithm>

#include "memory_state.h"

namespace kw::ptxvm {

Snapshot::Snapshot(const Memory& memory) {
  for (const Allocation* a : memory.allocations()) {
    parts.push_back({a->address,
                     a->name,
                     {a->bytes, a->bytes + a->size},
                     {a->initialised, a->initialised + a->size}});
  }
}

void Snapshot::restore(Memory& memory) const {
  for (const Part& p : parts) {
    const Allocation* a = memory.find(p.address);
    if (a == nullptr) continue;
    std::copy(p.bytes.begin(), p.bytes.end(), a->bytes);
    std::copy(p.initialised.begin(), p.initialised.end(), a->initialised);
    ModuleVariables::state(memory).by_address.find(a->address)->second.complete = false;
  }
}

}  // namespace kw::ptxvm
