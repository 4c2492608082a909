#pragma once
// Parameters are declared once, as a struct; the space that search, tuner and reports read is
// generated from it. Also the small pieces of text that every skeleton's emission shares.

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "emit/functor.h"
#include "skeletons/skeleton.h"

namespace kw::codegen {

template <typename Struct>
struct ParameterField {
  const char* name;
  std::int64_t Struct::*member;
};

/// Puts the heuristic into the domain, in order.
void add_to_domain(Parameter& parameter);

using Domains = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

/// The space of a parameter struct: its values are the heuristics, `domains` says what else each
/// may be (a heuristic outside its domain is added to it).
template <typename Struct>
ParameterSpace declare(const Struct& heuristic, const Domains& domains) {
  ParameterSpace space;
  for (const auto& field : Struct::kFields) {
    Parameter parameter{field.name, {}, heuristic.*field.member};
    for (const auto& [name, domain] : domains) {
      if (name == field.name) parameter.domain = domain;
    }
    add_to_domain(parameter);
    space.parameters.push_back(std::move(parameter));
  }
  return space;
}

template <typename Struct>
Struct read_parameters(const Config& config) {
  Struct parameters;
  for (const auto& field : Struct::kFields) {
    if (const auto it = config.find(field.name); it != config.end()) {
      parameters.*field.member = it->second;
    }
  }
  return parameters;
}

/// Adds a constraint; the text is ours, so a syntax error is a bug.
void constrain(ParameterSpace& space, std::string_view expression);

/// "  const float* __restrict__ p0;  // x" members; tensors that the region writes are not const.
std::string member_text(const Program& program, const std::vector<TensorId>& pointers,
                        const Region& region);
/// "const float* __restrict__ p0, float* __restrict__ p1" of an entry.
std::string parameter_text(const Program& program, const std::vector<TensorId>& pointers,
                           const Region& region);
/// "p0, p1, ..."
std::string argument_text(const std::vector<TensorId>& pointers);
/// Format structs that these expressions need.
void note_formats(const Program& program, const std::vector<ScalarId>& roots, Fragment& fragment);

}  // namespace kw::codegen
