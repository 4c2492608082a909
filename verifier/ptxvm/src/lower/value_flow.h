#pragma once
// What instructions do to values, as the checks of registers and of index arithmetic see it.

#include <initializer_list>
#include <string_view>

#include "ir/flatten.h"
#include "ir/fold.h"
#include "ir/slots.h"

namespace kw::ptxvm {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names);

/// -1: the operand is no register.
int register_of(const Operand& op);
RegisterClass class_of_register(const FlatKernel& kernel, int r);

/// ld, st and their kin whose address is a global one.
bool is_global_access(const FlatInstruction& in);
/// 32-bit arithmetic in which an index is made.
bool is_chain(const FlatInstruction& in);
/// 64-bit arithmetic that only moves an address on.
bool is_address_arithmetic(const FlatInstruction& in);
/// Where 32 bits become 64. *is_unsigned says how they are read.
bool is_widening(const FlatInstruction& in, bool* is_unsigned);

/// Whether the results are as good as the registers read. What comes from memory or from other
/// lanes is taken as written.
bool passes_on(const FlatInstruction& in);
/// Results that one written source is enough for: selections, packing, logic of predicates.
bool needs_one(const FlatInstruction& in);
/// shfl whose mask may leave lanes out: what comes from such a lane is as good as nothing.
bool is_partial_shuffle(const FlatInstruction& in, const Folds& folds);
/// The register that shfl's value goes to, -1 if none.
int shuffle_result(const FlatInstruction& in);
/// A plain move between registers.
bool is_copy(const FlatInstruction& in);

}  // namespace kw::ptxvm
