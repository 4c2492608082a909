#pragma once
// The service's API over the store and the engine: JSON in, JSON out, no sockets.

#include <functional>
#include <string>

#include "kw/agent/workshop.h"
#include "server.h"

namespace kw::agent {

struct ApiOptions {
  std::string token;            // bearer token that every request must carry; empty: none asked for
  bool loopback = true;         // listening on loopback: only loopback host names are answered
  std::string device = "auto";  // for jobs that name none
  JobSpec defaults;             // endpoint, budgets: what clients may not set themselves
};

/// Thread-safe. Every reply is one object with "v" and "kind"; errors are
/// {"kind":"error","code","message"}.
///   GET  /healthz
///   POST /v1/jobs                      {"task": name | "document": task,
///   "device","objective","budget_s","model"}
///                                      header Idempotency-Key: the same key gives the same job
///   GET  /v1/jobs?state=&limit=&before=
///   GET  /v1/jobs/ID                   POST /v1/jobs/ID/cancel
///   GET  /v1/jobs/ID/events            as server-sent events when asked for, with Last-Event-ID;
///   else a list GET  /v1/jobs/ID/bundle            task, candidate, plan and evidence of the
///   winner GET  /v1/events                    server-sent: a notice whenever something changed GET
///   /v1/kernels?device_class=     the best known kernels GET  /v1/candidates/ID             GET
///   /v1/candidates/ID/verdicts
class Api {
 public:
  Api(Workshop& workshop, ApiOptions options);
  Answer answer(const HttpRequest& request);
  StreamChunk stream(const EventStreamReply& position);

 private:
  Result<Answer> route(const HttpRequest& request);
  Result<HttpReply> jobs(const HttpRequest& request, const std::vector<std::string>& path);
  Result<HttpReply> submit(const HttpRequest& request);
  Result<HttpReply> bundle(const std::string& job);
  Result<HttpReply> candidates(const std::vector<std::string>& path);

  Workshop& workshop_;
  const ApiOptions options_;
};

}  // namespace kw::agent
