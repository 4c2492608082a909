#pragma once
// A random kernel under construction: random_program.cpp has its frame and control flow,
// random_statements.cpp what happens inside.

#include <string>
#include <vector>

#include "ptxvm/random_program.h"
#include "ptxvm/random_writer.h"

namespace kw::ptxvm::random {

// Where a statement stands. Only code that all threads of a block reach together may use barriers;
// operations between lanes name the lanes that are here, in `members`.
struct Place {
  bool whole_block = false;
  std::string members;     // register with the lanes of this warp that are here; "" if unknown
  bool all_lanes = false;  // members is a whole warp of 32
  unsigned depth = 0;
};

inline std::string in_brackets(const std::string& base, std::uint64_t offset) {
  return "[" + base + "+" + std::to_string(offset) + "]";
}

class Kernel {
 public:
  explicit Kernel(std::uint64_t seed, std::uint64_t limit = kAll)
      : w_(seed * 0x9e3779b97f4a7c15u + 1), left_(limit) {
    program_.seed = seed;
    program_.name = "k" + std::to_string(seed);
    static constexpr std::uint32_t kBlocks[] = {32, 64, 96, 128, 128, 64, 40, 100};
    program_.block = kBlocks[w_.below(8)];
    program_.grid = static_cast<std::uint32_t>(1 + w_.below(3));
    program_.n = static_cast<std::uint32_t>(w_.below(9));
    whole_warps_ = program_.block % 32 == 0;
    if (w_.chance(40)) exit_ = w_.pick('p');
  }

  Program build();

 private:
  void prologue();
  void epilogue();
  void statements(const Place& at, unsigned count);
  void statement(const Place& at);
  void branch(const Place& at);
  void loop(const Place& at);
  void uniform_branch(const Place& at);
  void uniform_loop(const Place& at);
  void table(const Place& at);
  void memory(const Place& at);
  void lanes(const Place& at);
  void shuffle(const Place& at);
  void exchange();
  void shared_sums();
  void block_vote();
  void matrix();
  void async_copy();
  void sums();
  void call();
  void function();
  void load_or_store(const std::string& space, const std::string& base, unsigned bytes,
                     bool may_store);
  std::string below_number(const std::string& reg, unsigned power);  // reg & (power - 1), fresh
  std::string ballot(const std::string& predicate, const std::string& members);

  Writer w_;
  Program program_;
  std::string functions_;
  std::vector<std::string> function_names_;
  std::string tables_;
  bool whole_warps_ = false;
  std::string exit_;    // lanes that end before the last results are written
  std::uint64_t left_;  // statements still to be written
};

}  // namespace kw::ptxvm::random
