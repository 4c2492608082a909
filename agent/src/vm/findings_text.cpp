#include "page.h"

namespace kw::agent::vm {
namespace {

using ptxvm::Finding;
using ptxvm::FindingKind;
using ptxvm::Site;

constexpr const char* kBar = "========= ";
constexpr const char* kIndent = "=========     ";

std::string plural(std::uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

std::string thread_text(const Page& page, const Site& site) {
  const ptxvm::Dim3& b = page.wish.block;
  const std::uint64_t t = std::uint64_t{site.warp} * 32 + site.lane;
  return fmt::format("thread ({},{},{}) in block ({},{},{}), warp {} lane {}", t % b.x,
                     t / b.x % b.y, t / b.x / b.y, site.block.x, site.block.y, site.block.z,
                     site.warp, site.lane);
}

/// Where it is, the source line, the instruction.
std::string site_text(const Page& page, const Site& site, Sources& sources) {
  std::string out;
  const std::string ptx = fmt::format("PTX line {}: {}", site.ptx_line, site.instruction);
  if (site.source.line == 0) {
    out += fmt::format("{}at {} in {}\n", kIndent, ptx, site.kernel);
  } else {
    const std::string file = sources.shown(site.file);
    out += fmt::format("{}at {}:{} in {}\n", kIndent, file.empty() ? "source line" : file,
                       site.source.line, page.launched.reply.shown);
    if (const auto line = sources.line(site.file, site.source.line)) {
      out += fmt::format("{}  {:>5} | {}\n", kIndent, site.source.line, *line);
    }
    out += fmt::format("{}  {}\n", kIndent, ptx);
  }
  return out + fmt::format("{}by {}\n", kIndent, thread_text(page, site));
}

bool is_access(FindingKind kind) {
  switch (kind) {
    case FindingKind::OutOfBounds:
    case FindingKind::Misaligned:
    case FindingKind::InvalidAddress:
    case FindingKind::UninitialisedRead:
    case FindingKind::ReadOnlyWrite:
    case FindingKind::AsyncCopy:
    case FindingKind::Race:
      return true;
    case FindingKind::BarrierDivergence:
    case FindingKind::WarpDivergence:
    case FindingKind::UninitialisedRegister:
    case FindingKind::IndexOverflow:
    case FindingKind::Trap:
    case FindingKind::AssertFailed:
    case FindingKind::Watchdog:
      return false;
  }
  return false;
}

/// "Address 0x.. is 4 bytes after argument 0 (npy:a.npy)"
std::string address_text(const Page& page, const Finding& f) {
  if (f.allocation.empty()) return fmt::format("Address {:#x}", f.address);
  std::uint64_t size = 0;
  for (const ArrayResult& array : page.launched.arrays) {
    const std::string name = fmt::format("argument {} ({})", array.argument, array.text);
    if (name == f.allocation) size = array.bytes;
  }
  const auto offset = static_cast<std::uint64_t>(f.offset);
  std::string place;
  if (f.offset < 0) {
    place = plural(0 - offset, "byte") + " before";
  } else if (size != 0 && offset >= size) {
    place = plural(offset - size, "byte") + " after the end of";
  } else {
    place = plural(offset, "byte") + " into";
  }
  return fmt::format("Address {:#x} is {} {}{}", f.address, place, f.allocation,
                     size == 0 ? std::string{} : " of " + plural(size, "byte"));
}

std::string other_side(FindingKind kind, bool is_write) {
  switch (kind) {
    case FindingKind::Race:
      return is_write ? "Nothing orders it after this write" : "Nothing orders it after this read";
    case FindingKind::AsyncCopy:
      return "The copy";
    case FindingKind::IndexOverflow:
      return "The arithmetic that wrapped";
    default:
      return "The other side";
  }
}

/// What happened, without the place and the thread that are said on lines of their own.
std::string_view detail(const Finding& f) {
  std::string_view text = f.message;
  const std::string place = "of kernel " + f.site.kernel + ": ";
  if (const std::size_t begin = text.find(place); begin != std::string_view::npos) {
    text.remove_prefix(begin + place.size());
  }
  return text.substr(0, text.rfind(" (block "));
}

std::string finding_text(const Page& page, const ScheduledFinding& item, Sources& sources) {
  const Finding& f = item.finding;
  std::string out = fmt::format("{}{}: {}\n", kBar, to_string(f.kind), detail(f));
  if (is_access(f.kind) && f.bytes != 0) {
    out += fmt::format("{}{} {} of {}\n", kIndent, to_string(f.space),
                       f.is_write ? "write" : "read", plural(f.bytes, "byte"));
  }
  out += site_text(page, f.site, sources);
  if (is_access(f.kind)) out += kIndent + address_text(page, f) + "\n";
  if (f.other) {
    out += fmt::format("{}{}:\n", kIndent, other_side(f.kind, f.other_is_write));
    out += site_text(page, *f.other, sources);
  }
  if (f.occurrences > 1) out += fmt::format("{}{} times in this launch\n", kIndent, f.occurrences);
  if (item.schedule != 0) out += fmt::format("{}under schedule {} first\n", kIndent, item.schedule);
  return out;
}

}  // namespace

std::string findings_text(const Page& page, Sources& sources) {
  const Reply& reply = page.launched.reply;
  std::string out;
  for (const ScheduledFinding& item : reply.findings) {
    out += finding_text(page, item, sources) + kBar + "\n";
  }
  for (const ptxvm::ScheduleDifference& d : reply.differences) {
    out += fmt::format(
               "{}schedule_dependent: {} of {} are not what schedule 0 left, the first at {}\n{}",
               kBar, plural(d.differing_bytes, "byte"), d.allocation, d.offset, kIndent) +
           fmt::format("under schedule {}\n{}\n", d.schedule, kBar);
  }
  if (reply.findings_truncated) out += fmt::format("{}more findings than are kept\n", kBar);
  if (!reply.completed) {
    out += fmt::format("{}not every block ran to its end: no array was saved\n", kBar);
  }
  const std::size_t count = reply.findings.size() + reply.differences.size();
  const std::string schedules =
      page.wish.schedules > 1 ? fmt::format(" under {} schedules", page.wish.schedules) : "";
  return out + fmt::format("{}{}{}: {}\n", kBar, reply.shown, schedules,
                           count == 0 && reply.completed ? "no finding" : plural(count, "finding"));
}

std::string trace_text(const Page& page, Sources& sources) {
  const Reply& reply = page.launched.reply;
  const ptxvm::Trace& asked = page.wish.options.trace;
  std::string out = fmt::format("Trace of block {} warp {}: {}{}\n", asked.block, asked.warp,
                                plural(reply.trace.size(), "instruction"),
                                reply.trace_truncated ? ", and more that were not kept" : "");
  for (const ptxvm::TraceRecord& record : reply.trace) {
    const auto file = reply.files.find(record.source.file);
    const std::string place =
        record.source.line == 0 || file == reply.files.end()
            ? std::string{}
            : fmt::format("{}:{}", sources.shown(file->second), record.source.line);
    out += fmt::format("{:>6} {:08x} {:<20} {}\n", record.ptx_line, record.lanes, place,
                       record.instruction);
  }
  return out;
}

}  // namespace kw::agent::vm
