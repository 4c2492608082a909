#pragma once
// From flattened PTX to executor code: picks a handler for every instruction, places its operands.

#include <array>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/lowered.h"
#include "ir/cfg.h"
#include "ir/slots.h"
#include "kw/core/result.h"
#include "lower/checks.h"

namespace kw::ptxvm {

/// Errors: Unsupported, naming opcode and PTX line; InvalidArgument for operands that do not fit.
Status lower_kernel(const Module& module, const FlatKernel& kernel, Variant variant,
                    LoweredKernel& out);

class Lowering {
 public:
  Lowering(const Module& module, const FlatKernel& kernel, Variant variant, LoweredKernel& out);
  Status run();

 private:
  using In = const FlatInstruction&;
  using Location = std::uint32_t;

  // lowering.cpp: the walk over blocks, control flow
  Status instruction(In in, std::uint32_t block, bool silent);
  Status plain(In in);
  Status branch(In in, std::uint32_t block);
  void patch_target(std::uint32_t ins, std::uint32_t code_index);
  void clear_registers();

  // operands.cpp
  Result<Location> source(In in, const Operand& op, std::uint32_t bytes, Type type);
  Result<Location> destination(In in, const Operand& op, std::uint32_t bytes, Type type);
  Status finish_destinations(In in);
  Location scratch();
  Location constant(std::uint64_t value, std::uint32_t bytes);
  std::optional<std::uint64_t> constant_at(Location at) const;
  Location relocated(int variable, std::uint64_t addend);
  Result<Location> known_value(In in, int reg);
  Result<Location> register_value(In in, int reg);
  std::uint64_t literal(const Operand& op, std::uint32_t bytes, Type type) const;
  Result<Location> symbol_value(In in, const Operand& op, std::uint32_t bytes);
  struct Address {
    Location base = 0;
    std::uint64_t offset = 0;
    bool narrow = false;  // a 32-bit register
    int symbol = -1;      // FlatKernel::symbols, if there is no register
  };
  Result<Address> address(In in, const Operand& op);
  Status resize(In in, Location from, std::uint32_t from_bytes, Location to, std::uint32_t to_bytes,
                bool is_signed);

  // emit
  Result<Ins*> emit(In in, const std::string& handler);
  Status emit3(In in, const std::string& handler, Location d, Location a, Location b = 0,
               Location c = 0);
  tl::unexpected<Error> unsupported(In in, std::string_view why = "") const;
  tl::unexpected<Error> malformed(In in, std::string_view why) const;

  // alu.cpp
  Status alu(In in);
  Status by_name(In in, const std::string& name);
  Status directed(In in);
  Status setp(In in);
  Status set(In in);
  Result<Location> compare(In in, Type type, const std::string& op, bool ftz, const Operand& a,
                           const Operand& b, unsigned half);
  Status bit_field_insert(In in);
  Status lop3(In in);
  // convert.cpp
  Status convert(In in);
  // move.cpp
  Status mov(In in);
  Status cvta(In in);
  Status isspacep(In in);
  Status special(In in, const std::string& name, Location d, std::uint32_t bytes);
  // memory.cpp
  struct Place {
    std::uint32_t space;
    std::string name;  // of the handler's space
  };
  Status load_store(In in, bool store);
  Status atomic(In in, bool has_result);
  Status async_copy(In in);
  Status vector_atomic(In in, bool has_result, const std::string& op, Type type, const Address& at,
                       const Place& where);
  // mbarrier.cpp
  Status mbarrier(In in);
  Status copy_arrival(In in);
  Result<Place> place(In in, const Address& at) const;
  // warp.cpp
  Status warp_op(In in);
  std::string shuffle_name(const std::string& mode, Location b, Location c, Location members) const;
  Status barrier(In in);
  // matrix.cpp
  Status matrix(In in);
  Status ldmatrix(In in, bool store);
  Status mma(In in);
  Status quad_mma(In in, const std::vector<Type>& types);
  // wmma.cpp
  Status wmma(In in);
  Status wmma_mma(In in);
  Status registers_of(In in, const Operand& op, std::uint32_t bytes, bool result,
                      std::uint32_t* count);

  // checks.cpp
  Status check_guard(In in);
  Status check_before(In in);
  Status check_after(In in);
  Status check_written(In in, int reg);
  Status check_shuffle(In in);
  int checked_register(const Operand& op) const;  // -1: none that is computed
  bool is_literal(const Operand& op) const;
  Location unwritten(int reg) const;

  InstructionClass classify(In in) const;

  const Module& module_;
  const FlatKernel& kernel_;
  LoweredKernel& out_;
  Cfg cfg_;
  Folds folds_;
  Slots slots_;
  std::optional<ValueChecks> checks_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, Location> constants_;
  std::map<Location, std::uint64_t> constant_values_;
  std::map<std::pair<int, std::uint64_t>, Location> relocated_;
  std::map<int, Location> known_;  // by register
  std::uint32_t scratch_used_ = 0;
  struct Pending {
    Location from;
    std::uint32_t from_bytes;
    Location to;
    std::uint32_t to_bytes;
    bool is_signed;
  };
  std::vector<Pending> pending_;  // results to resize after the instruction
  std::vector<std::pair<std::uint32_t, std::uint32_t>> patches_;        // ins -> block
  std::vector<std::pair<std::uint32_t, std::uint32_t>> table_patches_;  // extra index -> block
  std::uint32_t current_source_ = 0;
};

/// The last modifier that names a type; Type::None if there is none. `nth` counts from the end.
Type type_modifier(const Instruction& in, unsigned nth = 0);

}  // namespace kw::ptxvm
