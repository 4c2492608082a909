#include "messages.h"

namespace kw::verify {

namespace {

using process::Reader;
using process::Writer;

void put_fill(Writer& w, const BufferFill& fill) {
  const FillSpec& spec = fill.spec;
  w.text(fill.buffer)
      .put(spec.dtype)
      .put(spec.elements)
      .put(spec.row)
      .put(spec.rows)
      .put(spec.seed);
  w.put(spec.stream).put(spec.family).put(spec.zero_points).put(spec.coarse);
  w.list(spec.steps, [](Writer& out, const DrawStep& step) {
    out.put(step.op).put(step.a).put(step.b);
  });  // data travels as bytes
  w.text(spec.format.name.empty() ? std::string{} : to_json(spec.format));
}

Result<BufferFill> get_fill(Reader& r) {
  BufferFill fill;
  FillSpec& spec = fill.spec;
  fill.buffer = r.text();
  spec.dtype = r.choice(DType::Bool);
  spec.elements = r.get<std::int64_t>();
  spec.row = r.get<std::int64_t>();
  spec.rows = r.get<std::int64_t>();
  spec.seed = r.get<std::uint64_t>();
  spec.stream = r.get<std::uint64_t>();
  spec.family = r.choice(Family::Constant);
  spec.zero_points = r.flag();
  spec.coarse = r.flag();
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n) {
    DrawStep step;
    step.op = r.choice(DrawStep::Op::Values);
    step.a = r.get<double>();
    step.b = r.get<double>();
    spec.steps.push_back(step);
  }
  const std::string format = r.text();
  if (!format.empty()) {
    KW_ASSIGN(spec.format, parse_format(format));
  }
  return fill;
}

void put_map(Writer& w, const std::map<std::string, std::string>& map) {
  w.list(map, [](Writer& out, const auto& entry) { out.text(entry.first).text(entry.second); });
}

void put_names(Writer& w, const std::vector<std::string>& names) {
  w.list(names, [](Writer& out, const std::string& name) { out.text(name); });
}
std::vector<std::string> get_names(Reader& r) {
  std::vector<std::string> names;
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n) names.push_back(r.text());
  return names;
}

}  // namespace

void put_limits(Writer& w, const launch::PlanLimits& limits) {
  w.put(limits.sm_count).put(limits.max_threads_per_block);
  for (const std::int64_t extent : limits.max_block) w.put(extent);
  for (const std::int64_t extent : limits.max_grid) w.put(extent);
  w.put(limits.shared_per_block).put(limits.memory_bytes).put(limits.max_cluster);
  w.put(limits.tensor_maps).put(limits.parameter_bytes);
}

launch::PlanLimits get_limits(Reader& r) {
  launch::PlanLimits limits;
  limits.sm_count = r.get<std::int64_t>();
  limits.max_threads_per_block = r.get<std::int64_t>();
  for (std::int64_t& extent : limits.max_block) extent = r.get<std::int64_t>();
  for (std::int64_t& extent : limits.max_grid) extent = r.get<std::int64_t>();
  limits.shared_per_block = r.get<std::int64_t>();
  limits.memory_bytes = r.get<std::int64_t>();
  limits.max_cluster = r.get<std::int64_t>();
  limits.tensor_maps = r.flag();
  limits.parameter_bytes = r.get<std::int64_t>();
  return limits;
}

std::string encode(const RunnerRequest& request) {
  Writer w;
  w.text(request.code).text(request.plan_json);
  put_limits(w, request.limits);
  w.put(static_cast<std::uint64_t>(request.trials.size()));
  for (std::size_t i = 0; i < request.trials.size(); ++i) {
    const Trial& trial = request.trials[i];
    w.put(trial.poison).put(trial.repeats).put(trial.schedule_seed).put(trial.thorough);
    w.put(static_cast<std::uint64_t>(trial.fills.size()));
    for (std::size_t f = 0; f < trial.fills.size(); ++f) {
      put_fill(w, trial.fills[f]);
      w.put(request.given_offsets[i][f]);
    }
  }
  w.put(request.given_bytes).put(request.seed);
  w.put(request.sanitize).put(request.protect_inputs);
  w.put(request.timing_limit_ms).put(request.timing.has_value());
  if (request.timing) {
    w.put(request.timing->samples).put(request.timing->min_total_ms).put(request.timing->cold_l2);
  }
  return w.take();
}

Result<RunnerRequest> decode_request(std::string_view bytes) {
  Reader r(bytes);
  RunnerRequest request;
  request.code = r.text();
  request.plan_json = r.text();
  request.limits = get_limits(r);
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n) {
    Trial trial;
    trial.poison = r.get<std::uint8_t>();
    trial.repeats = r.get<int>();
    trial.schedule_seed = r.get<std::uint64_t>();
    trial.thorough = r.flag();
    std::vector<std::int64_t> offsets;
    for (std::size_t f = r.count(); f > 0 && r.ok(); --f) {
      KW_ASSIGN(BufferFill fill, get_fill(r));
      trial.fills.push_back(std::move(fill));
      offsets.push_back(r.get<std::int64_t>());
    }
    request.trials.push_back(std::move(trial));
    request.given_offsets.push_back(std::move(offsets));
  }
  request.given_bytes = r.get<std::uint64_t>();
  request.seed = r.get<std::uint64_t>();
  request.sanitize = r.flag();
  request.protect_inputs = r.flag();
  request.timing_limit_ms = r.get<std::uint64_t>();
  if (r.flag()) {
    TimingRequest timing;
    timing.samples = r.get<int>();
    timing.min_total_ms = r.get<double>();
    timing.cold_l2 = r.flag();
    request.timing = timing;
  }
  if (!r.finished()) return fail(Errc::Internal, "a runner got a request that is none");
  return request;
}

std::string encode(const RunnerReply& reply) {
  Writer w;
  w.list(reply.trials, [](Writer& out, const TrialSummary& trial) {
    put_names(out, trial.modified_inputs);
    put_names(out, trial.broken_guards);
    out.put(trial.repeats_equal);
  });
  w.put(reply.fault.has_value());
  if (reply.fault) {
    w.put(reply.fault->kind).text(reply.fault->reason);
    put_map(w, reply.fault->witness);
  }
  w.put(reply.timing.has_value());
  if (reply.timing) {
    const Timing& t = *reply.timing;
    w.put(t.median_us).put(t.min_us).put(t.spread_us).put(t.samples).put(t.setup_us);
    w.text(t.protocol);
  }
  w.list(reply.counters,
         [](Writer& out, const auto& entry) { out.text(entry.first).put(entry.second); });
  return w.take();
}

Result<RunnerReply> decode_reply(std::string_view bytes) {
  Reader r(bytes);
  RunnerReply reply;
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n) {
    TrialSummary trial;
    trial.modified_inputs = get_names(r);
    trial.broken_guards = get_names(r);
    trial.repeats_equal = r.flag();
    reply.trials.push_back(std::move(trial));
  }
  if (r.flag()) {
    RunFault fault;
    fault.kind = r.choice(RejectKind::Quarantined);
    fault.reason = r.text();
    for (std::size_t n = r.count(); n > 0 && r.ok(); --n) {
      std::string key = r.text();
      fault.witness[std::move(key)] = r.text();
    }
    reply.fault = std::move(fault);
  }
  if (r.flag()) {
    Timing t;
    t.median_us = r.get<double>();
    t.min_us = r.get<double>();
    t.spread_us = r.get<double>();
    t.samples = r.get<int>();
    t.setup_us = r.get<double>();
    t.protocol = r.text();
    reply.timing = std::move(t);
  }
  for (std::size_t n = r.count(); n > 0 && r.ok(); --n) {
    std::string key = r.text();
    reply.counters[std::move(key)] = r.get<double>();
  }
  if (!r.finished()) return fail(Errc::Internal, "a runner answered something that is no reply");
  return reply;
}

std::vector<std::size_t> output_buffers(const launch::BoundPlan& plan) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const Role role = plan.buffers[i].role;
    if (role == Role::Output || role == Role::State) out.push_back(i);
  }
  return out;
}

}  // namespace kw::verify
