#include <algorithm>

#include "page.h"

namespace kw::agent::vm {
namespace {

using ptxvm::Counters;
using ptxvm::InstructionClass;

double over(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}
double percent(std::uint64_t a, std::uint64_t b) { return 100 * over(a, b); }

std::string row(std::string_view name, std::string_view text) {
  return fmt::format("  {:<20} {}\n", name, text);
}

/// "1,234,567"
std::string grouped(std::uint64_t n) {
  const std::string digits = fmt::format("{}", n);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string instructions(const Counters& c) {
  std::string out = row("warp instructions", grouped(c.warp_instructions));
  out += row("lanes active", fmt::format("{:.1f} %", 100 * c.lane_utilisation()));
  std::vector<std::size_t> classes;
  for (std::size_t i = 0; i < c.by_class.size(); ++i) {
    if (c.by_class[i] != 0) classes.push_back(i);
  }
  std::stable_sort(classes.begin(), classes.end(),
                   [&](std::size_t a, std::size_t b) { return c.by_class[a] > c.by_class[b]; });
  for (const std::size_t i : classes) {
    out += row("  " + std::string(to_string(static_cast<InstructionClass>(i))),
               fmt::format("{:5.1f} %  {}", percent(c.by_class[i], c.warp_instructions),
                           grouped(c.by_class[i])));
  }
  out += row("divergent branches", grouped(c.divergent_branches));
  out += row("block barriers", grouped(c.barriers));
  if (c.matrix_multiply_adds != 0) {
    out += row("tensor cores", grouped(c.matrix_multiply_adds) + " multiply-adds");
  }
  return out;
}

std::string memory(const Reply& reply) {
  const Counters& c = reply.counters;
  std::string out;
  if (c.global_requests != 0) {
    out += row("global memory",
               fmt::format("{} requests of {:.1f} sectors ({:.0f} bytes); {:.1f} % of those bytes "
                           "were asked for",
                           grouped(c.global_requests), over(c.global_sectors, c.global_requests),
                           32 * over(c.global_sectors, c.global_requests),
                           percent(c.global_bytes, 32 * c.global_sectors)));
    const ptxvm::CacheCounts& k = c.cache;
    out += row("  L1, modelled", fmt::format("{:.1f} % of {} sectors found in {} KiB a block",
                                             percent(k.l1_sector_hits, k.l1_sectors),
                                             grouped(k.l1_sectors), reply.l1_bytes >> 10));
    out += row(
        "  L2, modelled",
        fmt::format("{} sectors read, {:.1f} times each; {} written, {:.1f} times each",
                    grouped(k.l2_read_sectors), over(k.l2_read_sectors, k.distinct_read_sectors),
                    grouped(k.l2_written_sectors),
                    over(k.l2_written_sectors, k.distinct_written_sectors)));
    out += row("  device memory",
               fmt::format("{} bytes at least",
                           grouped(32 * (k.distinct_read_sectors + k.distinct_written_sectors))));
  }
  if (c.shared_requests != 0) {
    out += row("shared memory",
               fmt::format("{} requests, {:.2f} passes each, {:.2f} without bank conflicts",
                           grouped(c.shared_requests), over(c.shared_waves, c.shared_requests),
                           over(c.shared_waves_ideal, c.shared_requests)));
  }
  return out;
}

std::string resources(const Page& page) {
  const Reply& reply = page.launched.reply;
  std::string out;
  const KernelResources* const known = resources_of(page);
  if (known != nullptr) {
    out += row("registers", fmt::format("{} a thread ({}, {})", known->registers, page.module.arch,
                                        page.module.compiler));
    out +=
        row("stack", fmt::format("{} bytes a thread: local arrays and spills", known->local_bytes));
  } else {
    out += row("registers", "not known: only a .cu is assembled");
  }
  out += row("shared memory", fmt::format("{} bytes static, {} dynamic", reply.static_shared_bytes,
                                          page.wish.shared_bytes));
  out += fmt::format("  {:<8} {:<10} {:>10} {:>9} {:>10} {:>8}  {}\n", "", "", "blocks/SM",
                     "warps/SM", "occupancy", "waves", "limited by");
  for (const OccupancyRow& each : occupancy_rows(page)) {
    const Occupancy& o = each.occupancy;
    out += fmt::format(
        "  {:<8} {:<10} {:>10} {:>9} {:>8.0f} % {:>8}  {}\n", each.sm->arch, each.sm->device,
        o.blocks, o.warps, 100 * o.fraction,
        o.blocks == 0 ? "-" : fmt::format("{:.3g}", each.waves),
        o.blocks == 0 ? "does not fit: " + std::string(to_string(o.limit)) : to_string(o.limit));
  }
  return out;
}

std::string hot_lines(const Page& page, Sources& sources) {
  constexpr std::size_t kShown = 10;
  const Reply& reply = page.launched.reply;
  const Counters& c = reply.counters;
  if (c.lines.empty()) return {};
  std::string out = fmt::format("Hot lines\n  {:>7} {:>6} {:>12} {:>12}\n", "warp", "lanes",
                                "sectors per", "passes per");
  out += fmt::format("  {:>7} {:>6} {:>12} {:>12}\n", "instr.", "active", "global req.",
                     "shared req.");
  for (std::size_t i = 0; i < std::min(kShown, c.lines.size()); ++i) {
    const ptxvm::LineCount& line = c.lines[i];
    const auto file = reply.files.find(line.source.file);
    const std::string name = file == reply.files.end() ? "" : file->second;
    const auto text = sources.line(name, line.source.line);
    const auto per_request = [](std::uint64_t n, std::uint64_t requests) {
      return requests == 0 ? std::string{} : fmt::format("{:.1f}", over(n, requests));
    };
    out += fmt::format("  {:>5.1f} % {:>4.0f} % {:>12} {:>12}  {}:{}{}\n",
                       percent(line.warp_instructions, c.warp_instructions),
                       percent(line.lane_instructions, 32 * line.warp_instructions),
                       per_request(line.global_sectors, line.global_requests),
                       per_request(line.shared_waves, line.shared_requests), sources.shown(name),
                       line.source.line, text ? "  " + *text : "");
  }
  return out;
}

}  // namespace

const KernelResources* resources_of(const Page& page) {
  const auto found = page.module.kernels.find(page.launched.reply.kernel);
  const bool known = found != page.module.kernels.end() && found->second.registers > 0;
  return known ? &found->second : nullptr;
}

std::vector<OccupancyRow> occupancy_rows(const Page& page) {
  const KernelResources* const known = resources_of(page);
  BlockNeeds needs;
  needs.threads = static_cast<std::uint32_t>(page.wish.block.count());
  needs.registers = known == nullptr ? 0 : static_cast<std::uint32_t>(known->registers);
  needs.shared_bytes = page.launched.reply.static_shared_bytes + page.wish.shared_bytes;
  std::vector<OccupancyRow> rows;
  for (const SmTable& sm : sm_tables()) {
    const auto fit = occupancy(sm, needs);
    if (!fit) continue;
    const double at_once = static_cast<double>(fit->blocks) * sm.multiprocessors;
    rows.push_back(
        {&sm, *fit, at_once == 0 ? 0 : static_cast<double>(page.wish.grid.count()) / at_once});
  }
  return rows;
}

std::string counters_text(const Page& page, Sources& sources) {
  const Reply& reply = page.launched.reply;
  const ptxvm::Dim3 &g = page.wish.grid, &b = page.wish.block;
  std::string out = fmt::format("{}: {} x {} x {} blocks of {} x {} x {} threads\n", reply.shown,
                                g.x, g.y, g.z, b.x, b.y, b.z);
  out += instructions(reply.counters) + memory(reply);
  out += "Occupancy, by device tables\n" + resources(page) + hot_lines(page, sources);
  return out;
}

}  // namespace kw::agent::vm
