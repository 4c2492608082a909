#pragma once
// Device text of a scan's functor (scan.cuh says what it has to offer).

#include <string>
#include <vector>

#include "skeletons/scan_program.h"

namespace kw::codegen {

struct ScanFunctorOptions {
  std::string name;
  std::string index;  // type of offsets
  ScanLayout layout = ScanLayout::Along;
  std::int64_t width = 1;  // elements of a vector
};

struct ScanFunctor {
  std::string text;
  std::vector<ScalarId> roots;  // what the text evaluates
};
/// `pointers`: members p0, p1, ... in this order.
ScanFunctor scan_functor(Program& program, const Region& region, const ScanProgram& scan,
                         const std::vector<TensorId>& pointers, const ScanFunctorOptions& options);

/// Whether every access is a vector of this many elements (or the same for all of them).
bool vectorises(Program& program, const ScanProgram& scan, ScanLayout layout, std::int64_t width);

/// "KwRunSum<float>": the state of a run, and its size in memory.
std::string run_name(const ScanProgram& scan);
std::int64_t run_bytes(const ScanProgram& scan);

}  // namespace kw::codegen
