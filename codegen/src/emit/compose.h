#pragma once
// Fragments of a cover become one candidate: one source file, one launch plan, scratch with
// lifetimes.

#include <vector>

#include "cover/cover.h"

namespace kw::codegen {

/// The configuration of piece i is configs[i]. The same arguments give the same bytes.
Result<Candidate> compose(const Task& task, Program& program, const Cover& cover,
                          const std::vector<Config>& configs, const Target& target);

/// "r2.block": how a parameter of piece 2 is called outside.
std::string outer_name(std::size_t piece, std::string_view parameter);

}  // namespace kw::codegen
