#include "messages.h"

#include "kw/process/wire.h"

namespace kw::agent::vm {
namespace {

using process::Reader;
using process::Writer;
using ptxvm::Finding;
using ptxvm::Site;

/// Items in order; each takes at least a byte.
template <class T, class Each>
std::vector<T> get_list(Reader& r, Each&& each) {
  std::vector<T> items;
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n) items.push_back(each(r));
  return items;
}

void put_dim(Writer& w, const ptxvm::Dim3& d) { w.put(d.x).put(d.y).put(d.z); }
ptxvm::Dim3 get_dim(Reader& r) {
  ptxvm::Dim3 d;
  for (std::uint32_t* extent : {&d.x, &d.y, &d.z}) *extent = r.get<std::uint32_t>();
  return d;
}

void put_line(Writer& w, const ptxvm::SourceLine& at) { w.put(at.file).put(at.line); }
ptxvm::SourceLine get_line(Reader& r) {
  ptxvm::SourceLine at;
  at.file = r.get<std::uint32_t>();
  at.line = r.get<std::uint32_t>();
  return at;
}

void put_options(Writer& w, const ptxvm::Options& o) {
  w.put(o.check_uninitialised).put(o.check_races).put(o.check_async_copies);
  w.put(o.check_registers).put(o.check_index_overflow).put(o.count_memory).put(o.model_caches);
  w.put(o.l1_bytes).put(o.trace.block).put(o.trace.warp).put(o.trace.max_records);
  w.put(o.exact_tensor_accumulation).put(o.schedule).put(o.seed).put(o.instruction_budget);
  w.put(o.threads).put(o.max_findings).put(o.perturb_approximations).put(o.launch_budget);
}
ptxvm::Options get_options(Reader& r) {
  ptxvm::Options o;
  for (bool* flag : {&o.check_uninitialised, &o.check_races, &o.check_async_copies,
                     &o.check_registers, &o.check_index_overflow, &o.count_memory, &o.model_caches})
    *flag = r.flag();
  o.l1_bytes = r.get<std::uint32_t>();
  o.trace.block = r.get<std::uint64_t>();
  o.trace.warp = r.get<std::uint32_t>();
  o.trace.max_records = r.get<std::uint32_t>();
  o.exact_tensor_accumulation = r.flag();
  o.schedule = r.choice(ptxvm::Schedule::Shuffled);
  o.seed = r.get<std::uint64_t>();
  o.instruction_budget = r.get<std::uint64_t>();
  o.threads = r.get<unsigned>();
  o.max_findings = r.get<std::uint32_t>();
  o.perturb_approximations = r.get<std::uint64_t>();
  o.launch_budget = r.get<std::uint64_t>();
  return o;
}

void put_site(Writer& w, const Site& s) {
  w.text(s.kernel).text(s.file).text(s.instruction).put(s.ptx_line).put(s.warp).put(s.lane);
  put_line(w, s.source);
  put_dim(w, s.block);
}
Site get_site(Reader& r) {
  Site s;
  s.kernel = r.text();
  s.file = r.text();
  s.instruction = r.text();
  s.ptx_line = r.get<std::uint32_t>();
  s.warp = r.get<std::uint32_t>();
  s.lane = r.get<std::uint32_t>();
  s.source = get_line(r);
  s.block = get_dim(r);
  return s;
}

void put_finding(Writer& w, const ScheduledFinding& item) {
  const Finding& f = item.finding;
  w.put(item.schedule).put(f.kind).put(f.space).put(f.is_write).put(f.other_is_write);
  w.put(f.address).put(f.bytes).text(f.allocation).put(f.offset).put(f.occurrences);
  w.text(f.message);
  put_site(w, f.site);
  w.put(f.other.has_value());
  if (f.other) put_site(w, *f.other);
}
ScheduledFinding get_finding(Reader& r) {
  ScheduledFinding item;
  Finding& f = item.finding;
  item.schedule = r.get<std::uint32_t>();
  f.kind = r.choice(ptxvm::FindingKind::Watchdog);
  f.space = r.choice(ptxvm::Space::Generic);
  f.is_write = r.flag();
  f.other_is_write = r.flag();
  f.address = r.get<std::uint64_t>();
  f.bytes = r.get<std::uint32_t>();
  f.allocation = r.text();
  f.offset = r.get<std::int64_t>();
  f.occurrences = r.get<std::uint64_t>();
  f.message = r.text();
  f.site = get_site(r);
  if (r.flag()) f.other = get_site(r);
  return item;
}

/// The numbers of a MemoryCounts or CacheCounts, in one order for both directions.
template <class Counts, class Visit>
void each_count(Counts& c, Visit&& visit) requires requires {
  c.global_requests;
}
{
  for (auto* n : {&c.global_requests, &c.global_sectors, &c.global_bytes, &c.shared_requests,
                  &c.shared_waves, &c.shared_waves_ideal})
    visit(*n);
}
template <class Counts, class Visit>
void each_count(Counts& c, Visit&& visit) requires requires {
  c.l1_sectors;
}
{
  for (auto* n : {&c.l1_sectors, &c.l1_sector_hits, &c.l2_read_sectors, &c.l2_written_sectors,
                  &c.distinct_read_sectors, &c.distinct_written_sectors})
    visit(*n);
}

void put_counters(Writer& w, const ptxvm::Counters& c) {
  const auto put = [&](std::uint64_t n) { w.put(n); };
  each_count(c, put);
  each_count(c.cache, put);
  w.put(c.warp_instructions).put(c.lane_instructions).put(c.divergent_branches);
  w.put(c.barriers).put(c.matrix_multiply_adds);
  for (const std::uint64_t n : c.by_class) w.put(n);
  w.list(c.lines, [](Writer& out, const ptxvm::LineCount& line) {
    put_line(out, line.source);
    out.put(line.warp_instructions).put(line.lane_instructions);
    each_count(line, [&](std::uint64_t n) { out.put(n); });
  });
}
ptxvm::Counters get_counters(Reader& r) {
  ptxvm::Counters c;
  const auto get = [&](std::uint64_t& n) { n = r.get<std::uint64_t>(); };
  each_count(c, get);
  each_count(c.cache, get);
  for (std::uint64_t* n : {&c.warp_instructions, &c.lane_instructions, &c.divergent_branches,
                           &c.barriers, &c.matrix_multiply_adds})
    get(*n);
  for (std::uint64_t& n : c.by_class) get(n);
  c.lines = get_list<ptxvm::LineCount>(r, [&](Reader& in) {
    ptxvm::LineCount line;
    line.source = get_line(in);
    get(line.warp_instructions);
    get(line.lane_instructions);
    each_count(line, get);
    return line;
  });
  return c;
}

}  // namespace

std::string encode(const Request& q) {
  Writer w;
  w.text(q.ptx).text(q.kernel).put(q.shared_bytes).put(q.schedules);
  put_dim(w, q.grid);
  put_dim(w, q.block);
  put_options(w, q.options);
  w.list(q.arguments, [](Writer& out, const LaunchArgument& a) {
    out.put(a.kind).text(a.shown).text(a.value).text(a.element).put(a.array).put(a.offset);
  });
  w.list(q.arrays, [](Writer& out, const LaunchArray& a) {
    out.text(a.name).put(a.bytes).put(a.initialised).put(a.read_only);
  });
  w.text(q.arch);
  w.list(q.registers, [](Writer& out, const auto& each) { out.text(each.first).put(each.second); });
  return w.take();
}

Result<Request> decode_request(std::string_view bytes) {
  Reader r(bytes);
  Request q;
  q.ptx = r.text();
  q.kernel = r.text();
  q.shared_bytes = r.get<std::uint32_t>();
  q.schedules = r.get<std::uint32_t>();
  q.grid = get_dim(r);
  q.block = get_dim(r);
  q.options = get_options(r);
  q.arguments = get_list<LaunchArgument>(r, [](Reader& in) {
    LaunchArgument a;
    a.kind = in.choice(LaunchArgument::Kind::Array);
    a.shown = in.text();
    a.value = in.text();
    a.element = in.text();
    a.array = in.get<std::uint32_t>();
    a.offset = in.get<std::uint64_t>();
    return a;
  });
  q.arrays = get_list<LaunchArray>(r, [](Reader& in) {
    LaunchArray a;
    a.name = in.text();
    a.bytes = in.get<std::uint64_t>();
    a.initialised = in.flag();
    a.read_only = in.flag();
    return a;
  });
  q.arch = r.text();
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n) {
    const std::string kernel = r.text();
    q.registers[kernel] = r.get<std::uint32_t>();
  }
  if (!r.finished()) return fail(Errc::Internal, "a request that cannot be read");
  return q;
}

std::string encode(const Reply& p) {
  Writer w;
  w.text(p.kernel).text(p.shown).text(p.signature).text(p.target);
  w.list(p.files, [](Writer& out, const auto& each) { out.put(each.first).text(each.second); });
  w.put(p.static_shared_bytes)
      .put(p.local_bytes)
      .put(p.l1_bytes)
      .put(p.completed)
      .put(p.findings_truncated);
  w.list(p.findings, put_finding);
  put_counters(w, p.counters);
  w.list(p.trace, [](Writer& out, const ptxvm::TraceRecord& t) {
    put_line(out, t.source);
    out.put(t.ptx_line).put(t.lanes).text(t.instruction);
  });
  w.put(p.trace_truncated);
  w.list(p.differences, [](Writer& out, const ptxvm::ScheduleDifference& d) {
    out.put(d.schedule).text(d.allocation).put(d.offset).put(d.differing_bytes);
  });
  w.list(p.unwritten, [](Writer& out, std::uint64_t n) { out.put(n); });
  return w.take();
}

Result<Reply> decode_reply(std::string_view bytes) {
  Reader r(bytes);
  Reply p;
  for (std::string* text : {&p.kernel, &p.shown, &p.signature, &p.target}) *text = r.text();
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n) {
    const auto number = r.get<std::uint32_t>();
    p.files[number] = r.text();
  }
  p.static_shared_bytes = r.get<std::uint32_t>();
  p.local_bytes = r.get<std::uint32_t>();
  p.l1_bytes = r.get<std::uint32_t>();
  p.completed = r.flag();
  p.findings_truncated = r.flag();
  p.findings = get_list<ScheduledFinding>(r, get_finding);
  p.counters = get_counters(r);
  p.trace = get_list<ptxvm::TraceRecord>(r, [](Reader& in) {
    ptxvm::TraceRecord t;
    t.source = get_line(in);
    t.ptx_line = in.get<std::uint32_t>();
    t.lanes = in.get<std::uint32_t>();
    t.instruction = in.text();
    return t;
  });
  p.trace_truncated = r.flag();
  p.differences = get_list<ptxvm::ScheduleDifference>(r, [](Reader& in) {
    ptxvm::ScheduleDifference d;
    d.schedule = in.get<unsigned>();
    d.allocation = in.text();
    d.offset = in.get<std::uint64_t>();
    d.differing_bytes = in.get<std::uint64_t>();
    return d;
  });
  p.unwritten = get_list<std::uint64_t>(r, [](Reader& in) { return in.get<std::uint64_t>(); });
  if (!r.finished()) return fail(Errc::Corrupt, "a reply that cannot be read");
  return p;
}

std::string encode(const Error& error) {
  return Writer().put(error.code).text(error.message).take();
}

Error decode_error(std::string_view bytes) {
  Reader r(bytes);
  Error error;
  error.code = r.choice(Errc::Internal);
  error.message = r.text();
  if (!r.finished()) return {Errc::Corrupt, "an error that cannot be read"};
  return error;
}

}  // namespace kw::agent::vm
