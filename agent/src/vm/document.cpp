#include "kw/core/json.h"
#include "page.h"

namespace kw::agent::vm {
namespace {

using ptxvm::InstructionClass;

Json dim(const ptxvm::Dim3& d) { return Json::array({d.x, d.y, d.z}); }

Json place(const std::string& file, std::uint32_t line, Sources& sources) {
  if (line == 0) return nullptr;
  Json out = {{"file", sources.shown(file)}, {"line", line}};
  if (const auto text = sources.line(file, line)) out["text"] = *text;
  return out;
}

Json numbered_place(const Reply& reply, const ptxvm::SourceLine& at, Sources& sources) {
  const auto file = reply.files.find(at.file);
  return place(file == reply.files.end() ? "" : file->second, at.line, sources);
}

Json site(const ptxvm::Site& s, Sources& sources) {
  return {{"source", place(s.file, s.source.line, sources)},
          {"ptx_line", s.ptx_line},
          {"instruction", s.instruction},
          {"block", dim(s.block)},
          {"warp", s.warp},
          {"lane", s.lane}};
}

Json finding(const ScheduledFinding& item, Sources& sources) {
  const ptxvm::Finding& f = item.finding;
  Json out = {{"kind", to_string(f.kind)},
              {"message", f.message},
              {"site", site(f.site, sources)},
              {"space", to_string(f.space)},
              {"access", f.is_write ? "write" : "read"},
              {"address", fmt::format("{:#x}", f.address)},
              {"bytes", f.bytes},
              {"allocation", f.allocation},
              {"offset", f.offset},
              {"occurrences", f.occurrences},
              {"schedule", item.schedule}};
  if (f.other) {
    out["other"] = site(*f.other, sources);
    out["other"]["access"] = f.other_is_write ? "write" : "read";
  }
  return out;
}

Json memory(const ptxvm::MemoryCounts& c) {
  return {{"global_requests", c.global_requests}, {"global_sectors", c.global_sectors},
          {"global_bytes", c.global_bytes},       {"shared_requests", c.shared_requests},
          {"shared_passes", c.shared_waves},      {"shared_passes_ideal", c.shared_waves_ideal}};
}

Json counters(const Reply& reply, Sources& sources) {
  const ptxvm::Counters& c = reply.counters;
  Json classes = Json::object();
  for (std::size_t i = 0; i < c.by_class.size(); ++i) {
    if (c.by_class[i] != 0) {
      classes[std::string(to_string(static_cast<InstructionClass>(i)))] = c.by_class[i];
    }
  }
  Json lines = Json::array();
  for (const ptxvm::LineCount& line : c.lines) {
    lines.push_back({{"source", numbered_place(reply, line.source, sources)},
                     {"warp_instructions", line.warp_instructions},
                     {"lane_instructions", line.lane_instructions},
                     {"memory", memory(line)}});
  }
  return {{"warp_instructions", c.warp_instructions},
          {"lane_instructions", c.lane_instructions},
          {"by_class", std::move(classes)},
          {"divergent_branches", c.divergent_branches},
          {"barriers", c.barriers},
          {"matrix_multiply_adds", c.matrix_multiply_adds},
          {"memory", memory(c)},
          {"cache_model",
           {{"l1_bytes", reply.l1_bytes},
            {"l1_sectors", c.cache.l1_sectors},
            {"l1_sector_hits", c.cache.l1_sector_hits},
            {"l2_read_sectors", c.cache.l2_read_sectors},
            {"l2_written_sectors", c.cache.l2_written_sectors},
            {"distinct_read_sectors", c.cache.distinct_read_sectors},
            {"distinct_written_sectors", c.cache.distinct_written_sectors}}},
          {"lines", std::move(lines)}};
}

Json occupancy_json(const Page& page) {
  Json rows = Json::array();
  for (const OccupancyRow& row : occupancy_rows(page)) {
    rows.push_back({{"arch", row.sm->arch},
                    {"device", row.sm->device},
                    {"blocks_per_sm", row.occupancy.blocks},
                    {"warps_per_sm", row.occupancy.warps},
                    {"occupancy", row.occupancy.fraction},
                    {"waves", row.waves},
                    {"limited_by", to_string(row.occupancy.limit)}});
  }
  Json out = {{"static_shared_bytes", page.launched.reply.static_shared_bytes},
              {"devices", std::move(rows)}};
  if (const KernelResources* const known = resources_of(page)) {
    out["registers"] = known->registers;
    out["stack_bytes"] = known->local_bytes;
  }
  return out;
}

}  // namespace

std::string document(const Page& page, Sources& sources, bool with_counters) {
  const Reply& reply = page.launched.reply;
  Json doc = {{"v", 1},
              {"kind", "vm"},
              {"file", page.module.path},
              {"compiler", page.module.compiler},
              {"target", reply.target},
              {"kernel", reply.kernel},
              {"signature", reply.signature},
              {"grid", dim(page.wish.grid)},
              {"block", dim(page.wish.block)},
              {"shared_bytes", page.wish.shared_bytes},
              {"schedules", page.wish.schedules},
              {"seed", fmt::format("{}", page.wish.options.seed)},
              {"clean", reply.clean()},
              {"completed", reply.completed},
              {"findings", Json::array()},
              {"findings_truncated", reply.findings_truncated},
              {"differences", Json::array()},
              {"arrays", Json::array()}};
  for (const ScheduledFinding& item : reply.findings) {
    doc["findings"].push_back(finding(item, sources));
  }
  for (const ptxvm::ScheduleDifference& d : reply.differences) {
    doc["differences"].push_back({{"schedule", d.schedule},
                                  {"allocation", d.allocation},
                                  {"offset", d.offset},
                                  {"differing_bytes", d.differing_bytes}});
  }
  for (const ArrayResult& array : page.launched.arrays) {
    Json item = {{"argument", array.argument},
                 {"text", array.text},
                 {"element", array.element->name},
                 {"shape", array.shape},
                 {"unwritten_bytes", array.unwritten}};
    if (!array.saved_to.empty()) item["saved_to"] = array.saved_to;
    doc["arrays"].push_back(std::move(item));
  }
  if (with_counters) {
    doc["counters"] = counters(reply, sources);
    doc["occupancy"] = occupancy_json(page);
  }
  if (page.wish.options.trace.max_records != 0) {
    Json records = Json::array();
    for (const ptxvm::TraceRecord& record : reply.trace) {
      records.push_back({{"source", numbered_place(reply, record.source, sources)},
                         {"ptx_line", record.ptx_line},
                         {"lanes", fmt::format("{:08x}", record.lanes)},
                         {"instruction", record.instruction}});
    }
    doc["trace"] = {{"block", page.wish.options.trace.block},
                    {"warp", page.wish.options.trace.warp},
                    {"records", std::move(records)},
                    {"truncated", reply.trace_truncated}};
  }
  return dump(doc) + "\n";
}

}  // namespace kw::agent::vm
