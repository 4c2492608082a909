#pragma once
// The daemon's client, as submit, jobs and watch use it.

#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "kw/core/result.h"

namespace kw::agent {

struct ServiceAddress {
  std::string url = "http://127.0.0.1:8437";
  std::string token;  // bearer token; empty: none
};

/// From --server and --token-env, with KERNELWRIGHT_SERVER and KERNELWRIGHT_TOKEN as fallbacks.
Result<ServiceAddress> service_address(const std::string& server, const std::string& token_env);

/// One request; the reply's body when the status is 2xx. Otherwise the error that the daemon named,
/// or Unavailable when nothing listens.
Result<std::string> service_request(const ServiceAddress& address, const std::string& method,
                                    const std::string& path, const std::string& body = {},
                                    const std::map<std::string, std::string>& headers = {});

struct ServiceEvent {
  std::string type, id, data;
};

/// Follows server-sent events, reconnecting with Last-Event-ID when the connection breaks, until an
/// "end" event, until `on_event` returns false or until stop is requested (Cancelled).
Status follow_events(const ServiceAddress& address, const std::string& path,
                     const std::function<bool(const ServiceEvent&)>& on_event,
                     std::stop_token stop);

}  // namespace kw::agent
