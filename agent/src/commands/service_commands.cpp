// submit, jobs, watch: the daemon's client.

#include <filesystem>

#include "client/service_client.h"
#include "command.h"
#include "kw/agent/task_source.h"
#include "kw/core/clock.h"
#include "kw/core/json.h"
#include "kw/core/task.h"
#include "output.h"

namespace kw::agent {
namespace {

class ClientCommand : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.option("--server", server_,
                     "the daemon (default $KERNELWRIGHT_SERVER or http://127.0.0.1:8437)");
    arguments.option("--token-env", token_env_,
                     "environment variable with the bearer token (default KERNELWRIGHT_TOKEN)");
  }

 protected:
  Result<ServiceAddress> address() const { return service_address(server_, token_env_); }

 private:
  std::string server_, token_env_;
};

/// Follows one job to its end and says how it went.
Result<int> watch_job(const ServiceAddress& address, const std::string& id,
                      const Invocation& invocation) {
  Json last;
  Progress progress(invocation.globals.progress);
  KW_RETURN_IF_ERROR(follow_events(
      address, "/v1/jobs/" + id + "/events",
      [&](const ServiceEvent& event) {
        const auto data = parse_json(event.data);
        if (event.type == "end" && data) {
          last = *data;
        } else {
          progress.show(fmt::format("{} {}", id, event.type));
        }
        return true;
      },
      invocation.interrupted));
  progress.clear();
  if (!last.is_object()) return fail(Errc::Unavailable, "job {}: the daemon ended the stream", id);
  const std::string status = last["summary"].is_object() ? last["summary"].value("status", "") : "";
  if (invocation.globals.json) {
    KW_RETURN_IF_ERROR(print(dump({{"v", 1}, {"kind", "job"}, {"job", last}}) + "\n"));
  } else {
    KW_RETURN_IF_ERROR(print(fmt::format("{}  {}  {}\n", id, last.value("state", ""), status)));
  }
  return status == "solved" ? 0 : 1;
}

class SubmitCommand final : public ClientCommand {
 public:
  std::string name() const override { return "submit"; }
  std::string about() const override { return "give a task or a suite to a running daemon"; }
  std::string examples() const override {
    return "  kernelwright submit kernelbench:1/19\n"
           "  kernelwright submit first41 --key nightly-2026-11-24\n"
           "  kernelwright submit my_task.json --watch\n";
  }
  void declare(Arguments& arguments) override {
    ClientCommand::declare(arguments);
    arguments.positional("TASK", task_,
                         "kernelbench:1/19, format:nvfp4/gemv, a suite, or a task file", true);
    arguments.option("--objective", objective_, "first or best");
    arguments.option("--budget", budget_s_, 1, 86400, "seconds of the race");
    arguments.option("--key", key_, "idempotency key: the same key gives the same job");
    arguments.flag("--watch", watch_, "wait for the end");
  }

  Result<int> run(const Invocation& invocation) override {
    KW_ASSIGN(const ServiceAddress server, address());
    Json body{{"v", 1}, {"budget_s", budget_s_}};
    if (!objective_.empty()) body["objective"] = objective_;
    if (invocation.globals.device != "auto") body["device"] = invocation.globals.device;
    if (!std::filesystem::exists(task_)) {
      body["task"] = task_;
    } else {
      KW_ASSIGN(const Task task, load_task(task_, false));
      KW_ASSIGN(body["document"], parse_json(to_json(task)));
    }
    const std::string key = key_.empty() ? make_job_id(system_clock()) : key_;
    KW_ASSIGN(const std::string reply,
              service_request(server, "POST", "/v1/jobs", dump(body), {{"Idempotency-Key", key}}));
    KW_ASSIGN(const Json json, parse_json(reply));
    if (!watch_) {
      if (invocation.globals.json) {
        KW_RETURN_IF_ERROR(print(dump(json) + "\n"));
        return 0;
      }
      for (const Json& job : json.at("jobs")) {
        KW_RETURN_IF_ERROR(
            print(fmt::format("{}  {}\n", job.value("id", ""), job.value("task", ""))));
      }
      return 0;
    }
    int worst = 0;
    for (const Json& job : json.at("jobs")) {
      KW_ASSIGN(const int code, watch_job(server, job.value("id", ""), invocation));
      worst = std::max(worst, code);
    }
    return worst;
  }

 private:
  std::string task_, objective_, key_;
  double budget_s_ = 120;
  bool watch_ = false;
};

class JobsCommand final : public ClientCommand {
 public:
  std::string name() const override { return "jobs"; }
  std::string about() const override { return "list the daemon's jobs, or cancel one"; }
  std::string examples() const override {
    return "  kernelwright jobs\n"
           "  kernelwright jobs --state running\n"
           "  kernelwright jobs --cancel 0199f0c2-...\n";
  }
  void declare(Arguments& arguments) override {
    ClientCommand::declare(arguments);
    arguments.option("--state", state_, "queued, running, done, failed or cancelled");
    arguments.option("--limit", limit_, 1, 1000, "how many, newest first");
    arguments.option("--cancel", cancel_, "id of a job to cancel");
  }

  Result<int> run(const Invocation& invocation) override {
    KW_ASSIGN(const ServiceAddress server, address());
    if (!cancel_.empty()) {
      KW_ASSIGN(const std::string reply,
                service_request(server, "POST", "/v1/jobs/" + cancel_ + "/cancel"));
      KW_RETURN_IF_ERROR(print(invocation.globals.json ? reply : "cancelling " + cancel_ + "\n"));
      return 0;
    }
    std::string path = fmt::format("/v1/jobs?limit={}", limit_);
    if (!state_.empty()) path += "&state=" + state_;
    KW_ASSIGN(const std::string reply, service_request(server, "GET", path));
    if (invocation.globals.json) {
      KW_RETURN_IF_ERROR(print(reply));
      return 0;
    }
    KW_ASSIGN(const Json json, parse_json(reply));
    std::vector<std::vector<std::string>> rows{{"job", "state", "task", "result"}};
    for (const Json& job : json.at("jobs")) {
      const Json& spec = job.at("spec");
      const Json& summary = job.at("summary");
      rows.push_back({job.value("id", ""), job.value("state", ""),
                      spec.is_object() ? spec.value("task", spec.value("task_name", "")) : "",
                      summary.is_object() ? summary.value("status", "") : ""});
    }
    KW_RETURN_IF_ERROR(print(table(rows)));
    return 0;
  }

 private:
  std::string state_, cancel_;
  int limit_ = 50;
};

class WatchCommand final : public ClientCommand {
 public:
  std::string name() const override { return "watch"; }
  std::string about() const override { return "follow a job of the daemon to its end"; }
  std::string examples() const override { return "  kernelwright watch 0199f0c2-...\n"; }
  void declare(Arguments& arguments) override {
    ClientCommand::declare(arguments);
    arguments.positional("JOB", job_, "the job's id", true);
  }
  Result<int> run(const Invocation& invocation) override {
    KW_ASSIGN(const ServiceAddress server, address());
    return watch_job(server, job_, invocation);
  }

 private:
  std::string job_;
};

}  // namespace

std::unique_ptr<Command> make_submit_command() { return std::make_unique<SubmitCommand>(); }
std::unique_ptr<Command> make_jobs_command() { return std::make_unique<JobsCommand>(); }
std::unique_ptr<Command> make_watch_command() { return std::make_unique<WatchCommand>(); }

}  // namespace kw::agent
