#include "skeletons/parameters.h"

#include <algorithm>
#include <cassert>

#include "emit/format_code.h"

namespace kw::codegen {
namespace {

std::string pointer_type(const Program& program, TensorId t, const Region& region) {
  const bool written = region.contains(program.producer(t));
  return fmt::format("{}{}* __restrict__", written ? "" : "const ",
                     storage_name(program.tensor(t).dtype));
}

}  // namespace

void add_to_domain(Parameter& parameter) {
  auto& domain = parameter.domain;
  const auto at = std::lower_bound(domain.begin(), domain.end(), parameter.heuristic);
  if (at == domain.end() || *at != parameter.heuristic) domain.insert(at, parameter.heuristic);
}

void constrain(ParameterSpace& space, std::string_view expression) {
  auto parsed = Expr::parse(expression);
  assert(parsed);
  if (parsed) space.constraints.push_back(std::move(*parsed));
}

std::string member_text(const Program& program, const std::vector<TensorId>& pointers,
                        const Region& region) {
  std::string text;
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    text += fmt::format("  {} p{};  // {}\n", pointer_type(program, pointers[i], region), i,
                        program.tensor(pointers[i]).name);
  }
  return text;
}

std::string parameter_text(const Program& program, const std::vector<TensorId>& pointers,
                           const Region& region) {
  std::string text;
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    text +=
        fmt::format("{}{} p{}", i > 0 ? ", " : "", pointer_type(program, pointers[i], region), i);
  }
  return text;
}

std::string argument_text(const std::vector<TensorId>& pointers) {
  std::string text;
  for (std::size_t i = 0; i < pointers.size(); ++i)
    text += fmt::format("{}p{}", i > 0 ? ", " : "", i);
  return text;
}

void note_formats(const Program& program, const std::vector<ScalarId>& roots, Fragment& fragment) {
  for (const ScalarId root : roots) {
    for (const ScalarId leaf : leaves_of(program.scalars, root)) {
      const Scalar& s = program.scalars[leaf];
      if (s.op != Op::Decode) continue;
      const auto& known = fragment.formats;
      if (std::find(known.begin(), known.end(), s.encoded) == known.end()) {
        fragment.formats.push_back(s.encoded);
      }
    }
  }
}

}  // namespace kw::codegen
