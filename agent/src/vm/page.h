#pragma once
// What `kernelwright vm` shows: text for people, one JSON document for programs. Nothing in either
// is a time: the virtual machine's own says nothing about a kernel's.

#include <string>
#include <vector>

#include "kw/core/occupancy.h"
#include "launch.h"
#include "sources.h"

namespace kw::agent::vm {

/// Everything about one launch that is shown.
struct Page {
  const Module& module;
  const Wish& wish;
  const Launched& launched;
};

/// How many blocks one multiprocessor holds, on each architecture there is a table of.
struct OccupancyRow {
  const SmTable* sm = nullptr;
  Occupancy occupancy;
  double waves = 0;  // blocks of the grid over what the whole device holds at once
};
/// Registers come from the cubin; a .ptx has none, and its rows say what block and shared memory
/// allow.
std::vector<OccupancyRow> occupancy_rows(const Page& page);
/// The kernel's row of Module::kernels, or nullptr.
const KernelResources* resources_of(const Page& page);

/// The findings, the way compute-sanitizer prints them, and what the schedules differ in.
std::string findings_text(const Page& page, Sources& sources);
/// What a profiler's first page has.
std::string counters_text(const Page& page, Sources& sources);
std::string trace_text(const Page& page, Sources& sources);
/// docs/formats/vm.schema.json
std::string document(const Page& page, Sources& sources, bool counters);

}  // namespace kw::agent::vm
