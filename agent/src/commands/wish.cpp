#include "wish.h"

#include "kw/agent/task_source.h"
#include "kw/agent/transcript.h"

namespace kw::agent {

void WishOptions::declare(Arguments& a) {
  a.option("--objective", objective,
           "first: the first good kernel; best: the fastest in the budget");
  a.option("--budget", budget_s, 0.1, 1e6, "seconds of the race");
  a.option("--candidates", candidates, 1, 100000, "most candidates judged");
  a.flag("--no-memory", no_memory, "do not ask memory first");
  a.option("--templates", templates, 0, 64, "candidates of the built-in generator");
  a.option("--endpoint", endpoint, "an OpenAI-compatible endpoint: http://127.0.0.1:8000/v1");
  a.option("--model", model, "the model's name at the endpoint");
  a.option("--api-key-env", key_env, "environment variable that holds the API key");
  a.option("--lanes", lanes, 1, 256, "conversations with the model at once");
  a.option("--rounds", rounds, 1, 64, "answers asked of each");
  a.option("--max-tokens", max_tokens, 1, 1 << 20, "of one answer");
  a.option("--stall", stall_s, 0.05, 86400, "seconds of silence before a request is given up");
  a.option("--reply", reply_s, 0.05, 86400, "seconds a whole answer may take");
  a.option("--retries", retries, 0, 100, "of a request that was refused (429, 5xx)");
  a.option("--replay", replay, "propose the answers of a recorded transcript");
  a.option("--tune", tune, 0, 100000, "configurations tried around the winner (GPU)");
  a.option("--tune-budget", tune_s, 0.1, 1e6, "seconds of tuning");
}

Result<JobSpec> WishOptions::wish(const Globals& globals, store::Store& store) const {
  JobSpec spec;
  const auto parsed = parse_objective(objective);
  if (!parsed) {
    return fail(Errc::InvalidArgument, "--objective is 'first' or 'best', not '{}'", objective);
  }
  if (endpoint.empty() != model.empty()) {
    return fail(Errc::InvalidArgument, "--endpoint and --model belong together: one is missing");
  }
  if (endpoint.empty() && !key_env.empty()) {
    return fail(Errc::InvalidArgument, "--api-key-env needs --endpoint and --model");
  }
  if (!endpoint.empty() && !endpoint.starts_with("http://") && !endpoint.starts_with("https://")) {
    return fail(Errc::InvalidArgument, "--endpoint '{}' does not begin with http:// or https://",
                endpoint);
  }
  if (endpoint.find('@') != std::string::npos) {
    return fail(Errc::InvalidArgument,
                "--endpoint must not hold a password: the address is recorded. Use --api-key-env");
  }
  spec.device = globals.device;
  spec.objective = *parsed;
  spec.budget_s = budget_s;
  spec.max_candidates = candidates;
  spec.memory = !no_memory;
  spec.templates = templates;
  spec.tune_evaluations = tune;
  spec.tune_s = tune_s;
  if (!endpoint.empty()) {
    const auto ms = [](double seconds) { return static_cast<int>(seconds * 1000); };
    ModelSpec m;
    m.endpoint = endpoint;
    m.model = model;
    m.key_env = key_env;
    m.lanes = lanes;
    m.rounds = rounds;
    m.max_tokens = max_tokens;
    m.first_byte_ms = ms(stall_s);
    m.total_ms = ms(reply_s);
    m.retries = retries;
    spec.model = std::move(m);
  }
  if (!replay.empty()) {
    KW_ASSIGN(const std::string document, read_file(replay, kMaxTranscriptBytes));
    if (auto transcript = parse_transcript(document); !transcript) {
      return wrap(transcript.error(), replay);
    }
    KW_ASSIGN(spec.transcript, store.put_blob(document));
  }
  return spec;
}

}  // namespace kw::agent
