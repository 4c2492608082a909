#include "api.h"

#include <algorithm>

#include "kw/agent/task_source.h"
#include "kw/core/json.h"
#include "kw/core/sha256.h"
#include "kw/store/store.h"
#include "pages.h"

namespace kw::agent {
namespace {

HttpReply json_reply(const Json& json, int status = 200) {
  return {status, "application/json", dump(json) + "\n", {}};
}

int http_status(Errc code) {
  switch (code) {
    case Errc::InvalidArgument:
      return 400;
    case Errc::NotFound:
      return 404;
    case Errc::Unsupported:
      return 422;
    case Errc::Conflict:
    case Errc::Cancelled:
      return 409;
    case Errc::ResourceExhausted:
      return 429;
    case Errc::Unavailable:
      return 503;
    case Errc::DeadlineExceeded:
      return 504;
    case Errc::Corrupt:
    case Errc::Io:
    case Errc::Internal:
      return 500;
  }
  return 500;
}

HttpReply error_reply(int status, std::string_view code, std::string_view message) {
  return json_reply({{"v", 1}, {"kind", "error"}, {"code", code}, {"message", message}}, status);
}

HttpReply error_reply(const Error& error) {
  return error_reply(http_status(error.code), to_string(error.code), error.message);
}

std::vector<std::string> segments(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    if (slash > at) parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

Json embedded(const std::string& document) {
  if (document.empty()) return nullptr;
  const auto json = parse_json(document);
  return json ? *json : Json(document);
}

Json job_json(const store::Job& job) {
  const Json spec = embedded(job.spec);
  return {{"id", job.id},
          {"job_kind", job.kind},
          {"state", to_string(job.state)},
          {"task_key", job.task_key},
          {"spec", spec},
          {"summary", embedded(job.summary)},
          {"last_seq", job.last_seq},
          {"created_us", job.created_us},
          {"updated_us", job.updated_us}};
}

Json event_json(const Event& event) {
  return {{"seq", event.seq},
          {"type", event.type},
          {"version", event.version},
          {"payload", embedded(event.payload)},
          {"time_us", event.time_us}};
}

Json device_json(const DeviceIdentity& device) {
  return {
      {"class", device.klass}, {"name", device.name}, {"arch", device.arch}, {"uuid", device.uuid}};
}

/// Compares in time that does not depend on where the texts differ.
bool same_secret(std::string_view a, std::string_view b) {
  const std::string x = sha256_hex(a), y = sha256_hex(b);
  unsigned difference = 0;
  for (std::size_t i = 0; i < x.size(); ++i) difference |= static_cast<unsigned>(x[i] ^ y[i]);
  return difference == 0;
}

bool is_loopback_host(std::string host) {
  if (host.starts_with('[')) {
    host = host.substr(0, host.find(']') + 1);
  } else {
    host = host.substr(0, host.rfind(':'));
  }
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

Result<std::int64_t> number_parameter(const HttpRequest& request, const std::string& name,
                                      std::int64_t fallback, std::int64_t high) {
  const std::string text = request.parameter(name);
  if (text.empty()) return fallback;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || value > high)
      return fail(Errc::InvalidArgument, "{}: '{}' is not in 0..{}", name, text, high);
    value = value * 10 + (c - '0');
  }
  if (value > high)
    return fail(Errc::InvalidArgument, "{}: '{}' is not in 0..{}", name, text, high);
  return value;
}

/// Names that a client may give. Paths are not among them: they would read this host's files.
Status check_task_name(const std::string& name) {
  if (name.starts_with("kernelbench:") || name.starts_with("format:")) return {};
  return fail(Errc::InvalidArgument,
              "/task: '{}' is neither kernelbench:LEVEL/PROBLEM nor format:NAME/OPERATION; send "
              "another task as "
              "\"document\"",
              name);
}

}  // namespace

Api::Api(Workshop& workshop, ApiOptions options)
    : workshop_(workshop), options_(std::move(options)) {}

Answer Api::answer(const HttpRequest& request) {
  try {
    if (options_.loopback && !is_loopback_host(request.header("host"))) {
      return error_reply(403, "forbidden", "this server answers to loopback names only");
    }
    if (const HttpReply* page = find_page(request.path)) {
      if (request.method != "GET") return error_reply(405, "method_not_allowed", "only GET");
      const std::string etag = page->headers.front().second;
      if (request.header("if-none-match") == etag)
        return HttpReply{304, page->content_type, "", page->headers};
      return *page;
    }
    if (request.path == "/healthz")
      return json_reply({{"v", 1}, {"kind", "health"}, {"status", "ok"}});
    if (!options_.token.empty() &&
        !same_secret(request.header("authorization"), "Bearer " + options_.token)) {
      HttpReply reply = error_reply(401, "unauthorized", "send 'Authorization: Bearer TOKEN'");
      reply.headers.emplace_back("WWW-Authenticate", "Bearer");
      return reply;
    }
    auto result = route(request);
    if (!result) return error_reply(result.error());
    return std::move(*result);
  } catch (const std::exception& error) {
    return error_reply(500, "internal", error.what());
  }
}

Result<Answer> Api::route(const HttpRequest& request) {
  const std::vector<std::string> path = segments(request.path);
  const bool get = request.method == "GET";
  if (request.method == "POST" && !request.body.empty() &&
      !request.header("content-type").starts_with("application/json")) {
    return error_reply(415, "invalid_argument", "send Content-Type: application/json");
  }
  if (path.size() >= 2 && path[0] == "v1") {
    if (get && path.size() == 2 && path[1] == "events") return EventStreamReply{};
    const bool wants_stream =
        request.header("accept").find("text/event-stream") != std::string::npos;
    if (get && path.size() == 4 && path[1] == "jobs" && path[3] == "events" && wants_stream) {
      KW_RETURN_IF_ERROR(workshop_.store().job(path[2]));
      HttpRequest position;
      position.query["after"] = request.header("last-event-id");
      if (position.query["after"].empty()) position.query["after"] = request.parameter("after");
      KW_ASSIGN(const std::int64_t after, number_parameter(position, "after", 0, INT64_MAX / 16));
      return EventStreamReply{path[2], static_cast<std::uint64_t>(after)};
    }
    if (path[1] == "jobs") {
      KW_ASSIGN(HttpReply reply, jobs(request, path));
      return reply;
    }
    if (get && path[1] == "candidates" && path.size() >= 3) {
      KW_ASSIGN(HttpReply reply, candidates(path));
      return reply;
    }
    if (get && path.size() == 2 && path[1] == "kernels") {
      const std::string device_class = request.parameter("device_class");
      KW_ASSIGN(const std::int64_t limit, number_parameter(request, "limit", 100, 1000));
      std::vector<std::string> classes{device_class};
      if (device_class.empty()) classes = {"cuda", "ptxvm"};
      std::vector<store::RegistryEntry> entries;
      for (const std::string& klass : classes) {
        KW_ASSIGN(const auto some,
                  workshop_.store().registry(klass, static_cast<std::size_t>(limit)));
        entries.insert(entries.end(), some.begin(), some.end());
      }
      Json list = Json::array();
      for (const store::RegistryEntry& entry : entries) {
        Json item{{"task", entry.task_name},
                  {"task_key", entry.keys.shape},
                  {"candidate", entry.candidate_id},
                  {"generator", entry.generator},
                  {"proposer", to_string(entry.proposer)},
                  {"device", device_json(entry.device)},
                  {"time_us", entry.time_us}};
        if (entry.timing) item["median_us"] = number_json(entry.timing->median_us);
        list.push_back(std::move(item));
      }
      return json_reply({{"v", 1}, {"kind", "kernels"}, {"kernels", list}});
    }
  }
  return error_reply(404, "not_found",
                     fmt::format("nothing answers {} {}", request.method, request.path));
}

Result<HttpReply> Api::jobs(const HttpRequest& request, const std::vector<std::string>& path) {
  store::Store& store = workshop_.store();
  const bool get = request.method == "GET";
  if (path.size() == 2 && request.method == "POST") return submit(request);
  if (path.size() == 2 && get) {
    store::JobFilter filter;
    if (const std::string state = request.parameter("state"); !state.empty()) {
      const auto known = store::parse_job_state(state);
      if (!known) return fail(Errc::InvalidArgument, "state: no job state '{}'", state);
      filter.states = {*known};
    }
    KW_ASSIGN(const std::int64_t limit, number_parameter(request, "limit", 100, 1000));
    filter.limit = static_cast<std::size_t>(limit);
    filter.before = request.parameter("before");
    KW_ASSIGN(const auto found, store.jobs(filter));
    Json list = Json::array();
    for (const store::Job& job : found) list.push_back(job_json(job));
    return json_reply({{"v", 1}, {"kind", "jobs"}, {"jobs", list}});
  }
  if (path.size() == 3 && get) {
    KW_ASSIGN(const store::Job job, store.job(path[2]));
    return json_reply({{"v", 1}, {"kind", "job"}, {"job", job_json(job)}});
  }
  if (path.size() == 4 && path[3] == "cancel" && request.method == "POST") {
    KW_RETURN_IF_ERROR(store.job(path[2]));
    KW_RETURN_IF_ERROR(workshop_.engine().cancel(path[2], "asked for over HTTP"));
    return json_reply({{"v", 1}, {"kind", "cancelling"}, {"job", path[2]}}, 202);
  }
  if (path.size() == 4 && path[3] == "events" && get) {
    KW_RETURN_IF_ERROR(store.job(path[2]));
    KW_ASSIGN(const std::int64_t after, number_parameter(request, "after", 0, INT64_MAX / 16));
    KW_ASSIGN(const auto events, store.events(path[2], static_cast<std::uint64_t>(after), 1000));
    Json list = Json::array();
    for (const Event& event : events) list.push_back(event_json(event));
    return json_reply({{"v", 1}, {"kind", "events"}, {"events", list}});
  }
  if (path.size() == 4 && path[3] == "bundle" && get) return bundle(path[2]);
  return error_reply(405, "method_not_allowed",
                     fmt::format("{} is not answered here", request.method));
}

Result<HttpReply> Api::submit(const HttpRequest& request) {
  KW_ASSIGN(const Json json, parse_json(request.body, {.bytes = 34u << 20}));
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  KW_ASSIGN(const std::int64_t version, reader.integer_or("v", 1));
  if (version != 1) return fail(Errc::InvalidArgument, "/v: version {} is not 1", version);
  JobSpec wish = options_.defaults;
  wish.origin = "service";
  KW_ASSIGN(wish.device, reader.string_or("device", options_.device));
  KW_ASSIGN(const std::string objective,
            reader.string_or("objective", std::string(to_string(wish.objective))));
  const auto known = parse_objective(objective);
  if (!known)
    return fail(Errc::InvalidArgument, "/objective: '{}' is neither first nor best", objective);
  wish.objective = *known;
  KW_ASSIGN(wish.budget_s, reader.number_or("budget_s", wish.budget_s));
  if (!(wish.budget_s > 0 && wish.budget_s <= 86400)) {
    return fail(Errc::InvalidArgument, "/budget_s: {} is not in 0..86400", wish.budget_s);
  }
  KW_ASSIGN(const std::int64_t tune,
            reader.integer_or("tune_evaluations", wish.tune_evaluations, 0, 100000));
  wish.tune_evaluations = static_cast<int>(tune);
  KW_ASSIGN(const bool model, reader.boolean_or("model", wish.model.has_value()));
  if (model && !wish.model)
    return fail(Errc::InvalidArgument, "/model: this server has no endpoint");
  if (!model) wish.model.reset();
  KW_ASSIGN(const bool small, reader.boolean_or("small", false));

  std::vector<Task> tasks;
  if (const Json* document = reader.find("document")) {
    KW_ASSIGN(Task task, parse_task(dump(*document)));
    if (reader.find("task") != nullptr)
      return fail(Errc::InvalidArgument, "/task: a document is there already");
    tasks.push_back(std::move(task));
  } else {
    KW_ASSIGN(const std::string name, reader.string("task"));
    KW_ASSIGN(const std::string device, resolve_device(wish.device));
    for (const std::string& one : expand_suite(name, small || device == "vm")) {
      KW_RETURN_IF_ERROR(check_task_name(one));
      KW_ASSIGN(Task task, load_task(one, small || device == "vm"));
      tasks.push_back(std::move(task));
    }
  }
  KW_RETURN_IF_ERROR(reader.finish());

  const std::string key = request.header("idempotency-key");
  if (key.size() > 200)
    return fail(Errc::InvalidArgument, "Idempotency-Key is longer than 200 bytes");
  Json list = Json::array();
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    KW_ASSIGN(store::NewJob job, prepare_job(workshop_, tasks[i], wish));
    if (!key.empty()) job.idempotency_key = tasks.size() == 1 ? key : fmt::format("{}#{}", key, i);
    KW_ASSIGN(const std::string id, workshop_.engine().submit(job));
    list.push_back({{"id", id}, {"task", tasks[i].name}});
  }
  return json_reply({{"v", 1}, {"kind", "submitted"}, {"jobs", list}}, 202);
}

Result<HttpReply> Api::bundle(const std::string& id) {
  store::Store& store = workshop_.store();
  KW_ASSIGN(const store::Job job, store.job(id));
  KW_ASSIGN(const Json summary, parse_json(job.summary));
  const auto accepted = summary.find("winner");
  const std::string winner = accepted != summary.end() && accepted->is_object()
                                 ? accepted->value("candidate", std::string())
                                 : std::string();
  if (winner.empty())
    return fail(Errc::NotFound, "job {} has no accepted kernel (it is {})", id,
                to_string(job.state));
  KW_ASSIGN(const auto candidate, store.candidate(winner));
  if (!candidate) return fail(Errc::NotFound, "candidate {} is not in the store", winner);
  KW_ASSIGN(const auto task, store.task(job.task_key));
  KW_ASSIGN(const auto verdicts, store.verdicts(winner));
  Json evidence = Json::array();
  for (const store::VerdictRecord& verdict : verdicts) {
    if (verdict.full) evidence.push_back(embedded(to_json(verdict.outcome)));
  }
  return json_reply({{"v", 1},
                     {"kind", "bundle"},
                     {"job", id},
                     {"candidate_id", winner},
                     {"candidate", embedded(to_json(*candidate))},
                     {"task", task ? embedded(task->document) : Json(nullptr)},
                     {"evidence", evidence}});
}

Result<HttpReply> Api::candidates(const std::vector<std::string>& path) {
  store::Store& store = workshop_.store();
  KW_ASSIGN(const auto candidate, store.candidate(path[2]));
  if (!candidate) return fail(Errc::NotFound, "no candidate '{}'", path[2]);
  if (path.size() == 3) {
    return json_reply({{"v", 1},
                       {"kind", "candidate"},
                       {"id", path[2]},
                       {"candidate", embedded(to_json(*candidate))}});
  }
  if (path.size() != 4 || path[3] != "verdicts")
    return fail(Errc::NotFound, "a candidate has verdicts, nothing else");
  KW_ASSIGN(const auto verdicts, store.verdicts(path[2]));
  Json list = Json::array();
  for (const store::VerdictRecord& verdict : verdicts) {
    list.push_back({{"job", verdict.job},
                    {"policy", verdict.policy},
                    {"seed", std::to_string(verdict.seed)},
                    {"full", verdict.full},
                    {"time_us", verdict.time_us},
                    {"outcome", embedded(to_json(verdict.outcome))}});
  }
  return json_reply({{"v", 1}, {"kind", "verdicts"}, {"verdicts", list}});
}

StreamChunk Api::stream(const EventStreamReply& position) {
  StreamChunk chunk{"", position.after, false};
  try {
    if (position.job.empty()) {
      // The store's change mark: another value than last time means that there is something to
      // fetch.
      const auto mark = workshop_.store().wait_for_change(0, std::chrono::milliseconds(0));
      if (mark && *mark != position.after) {
        chunk.next = *mark;
        chunk.text = fmt::format("event: changed\nid: {}\ndata: {{}}\n\n", *mark);
      }
      return chunk;
    }
    // The state first: a job that is final now has written its last event before.
    const auto job = workshop_.store().job(position.job);
    const auto events = workshop_.store().events(position.job, position.after, 200);
    if (!job || !events) return {"event: error\ndata: {}\n\n", position.after, true};
    for (const Event& event : *events) {
      chunk.text += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.seq, event.type,
                                dump(event_json(event)));
      chunk.next = event.seq;
    }
    if (events->empty() && store::is_final(job->state)) {
      chunk.text = fmt::format("event: end\ndata: {}\n\n", dump(job_json(*job)));
      chunk.last = true;
    }
  } catch (const std::exception&) {
    return {"event: error\ndata: {}\n\n", position.after, true};
  }
  return chunk;
}

}  // namespace kw::agent
