#include "kw/agent/model_proposer.h"

#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "answer.h"
#include "kw/core/json.h"
#include "kw/core/random.h"
#include "kw/core/sha256.h"
#include "prompt.h"
#include "retry_after.h"

namespace kw::agent {
namespace {

/// The answer as the ledger keeps it.
std::string answer_document(const ModelAnswer& answer) {
  return dump(Json{{"v", 1},
                   {"text", answer.text},
                   {"finish_reason", answer.finish_reason},
                   {"usage_known", answer.usage_known},
                   {"fault", nullptr}});
}
/// A final fault is an answer too: it is not asked again after a crash.
std::string fault_document(const ModelFault& fault) {
  return dump(Json{{"v", 1}, {"fault", to_string(fault.kind)}, {"text", fault.text}});
}

Status wait_for(std::chrono::milliseconds pause, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any timer;
  std::unique_lock lock(mutex);
  timer.wait_for(lock, stop, pause, [] { return false; });
  if (stop.stop_requested()) return fail(Errc::Cancelled, "cancelled between two sends");
  return {};
}

class ModelProposer final : public Proposer {
 public:
  ModelProposer(store::Store& store, ModelClient& client) : store_(store), client_(client) {}
  ProposerKind kind() const override { return ProposerKind::Model; }

  Result<Proposal> propose(const ProposeRequest& request, std::stop_token stop) override {
    if (!request.spec.model) return fail(Errc::Internal, "the job names no model");
    KW_ASSIGN(const store::Answer answer, answered(request, std::move(stop)));
    return read(request, answer);
  }

 private:
  Result<store::Answer> answered(const ProposeRequest& request, std::stop_token stop) {
    KW_ASSIGN(const auto known, store_.request(request.step));
    if (known && known->answer) return *known->answer;

    const ModelSpec& model = *request.spec.model;
    store::NewRequest record;
    record.id = request.step;
    record.job = request.job;
    record.model = model.model;
    if (known) {
      record.body = known->request.body;  // what was sent before a crash is sent again, unchanged
    } else {
      KW_ASSIGN(record.body, body_of(request));
    }
    record.body_hash = sha256_hex(record.body);

    Exchange exchange;
    exchange.url = model.endpoint;
    exchange.body = record.body;
    exchange.connect = std::chrono::milliseconds(model.connect_ms);
    exchange.first_byte = std::chrono::milliseconds(model.first_byte_ms);
    exchange.total = std::chrono::milliseconds(model.total_ms);
    KW_ASSIGN(exchange.key, key_of(model));

    for (int attempt = 0;; ++attempt) {
      KW_ASSIGN(const store::Sending sending, store_.record_request_sent(record));
      if (sending == store::Sending::Answered) {
        KW_ASSIGN(const auto answer, store_.request_answer(request.step));
        return *answer;
      }
      KW_ASSIGN(const ModelReply reply, client_.send(exchange, stop));
      if (const auto* fault = std::get_if<ModelFault>(&reply);
          fault && fault->retriable && attempt < model.retries) {
        if (!fault->worked_on) {
          KW_RETURN_IF_ERROR(store_.record_request_refused(request.step, fault->text));
        }
        RandomStream jitter(purpose(request.step), purpose("model.backoff"));
        for (int i = 0; i < attempt; ++i) (void)jitter.uniform();
        KW_RETURN_IF_ERROR(wait_for(backoff(attempt, jitter.uniform(), fault->retry_after), stop));
        continue;
      }
      return record_reply(request.step, reply);
    }
  }

  Result<std::string> body_of(const ProposeRequest& request) {
    std::optional<std::string> previous;
    if (request.feedback) {
      KW_ASSIGN(const auto answer, store_.request_answer(request.feedback->asked));
      if (answer) {
        KW_ASSIGN(const Json doc, parse_json(answer->body));
        if (doc.is_object() && doc.contains("finish_reason") && doc["text"].is_string()) {
          previous = doc["text"].get<std::string>();
        }
      }
    }
    return request_body(request, previous);
  }

  static Result<std::string> key_of(const ModelSpec& model) {
    if (model.key_env.empty()) return std::string{};
    const char* key = std::getenv(model.key_env.c_str());
    if (!key || !*key) {
      return fail(Errc::Unavailable, "environment variable {} is not set: it must hold the API key",
                  model.key_env);
    }
    return std::string(key);
  }

  Result<store::Answer> record_reply(const std::string& step, const ModelReply& reply) {
    store::Answer record;
    if (const auto* answer = std::get_if<ModelAnswer>(&reply)) {
      record.status = answer->http_status;
      record.body = answer_document(*answer);
      record.input_tokens = answer->input_tokens;
      record.output_tokens = answer->output_tokens;
      record.first_byte_us = answer->first_byte.count();
      record.total_us = answer->total.count();
    } else {
      const auto& fault = std::get<ModelFault>(reply);
      record.status = fault.http_status;
      record.body = fault_document(fault);
    }
    KW_RETURN_IF_ERROR(store_.record_request_answered(step, record));
    return record;
  }

  static Result<Proposal> read(const ProposeRequest& request, const store::Answer& answer) {
    KW_ASSIGN(const Json doc, parse_json(answer.body));
    KW_ASSIGN(JsonReader r, JsonReader::object(doc, "/answer"));
    Proposal proposal;
    proposal.input_tokens = answer.input_tokens;
    proposal.output_tokens = answer.output_tokens;
    KW_ASSIGN(const std::string text, r.string("text"));
    const Json* fault = r.find("fault");
    if (fault && fault->is_string()) {
      const auto kind = parse_finding_kind(fault->get<std::string>());
      proposal.tokens_known = false;
      proposal.finding =
          Finding{kind.value_or(FindingKind::MalformedReply), text, request.lane, request.round};
      return proposal;
    }
    KW_ASSIGN(proposal.tokens_known, r.boolean_or("usage_known", false));
    KW_ASSIGN(const std::string reason, r.string("finish_reason"));
    auto parsed = parse_answer(text, reason, request.spec.model->model);
    if (auto* finding = std::get_if<Finding>(&parsed)) {
      finding->lane = request.lane;
      finding->round = request.round;
      proposal.finding = std::move(*finding);
    } else {
      proposal.offers.push_back({std::move(std::get<Candidate>(parsed)), {}});
    }
    return proposal;
  }

  store::Store& store_;
  ModelClient& client_;
};

}  // namespace

std::unique_ptr<Proposer> make_model_proposer(store::Store& store, ModelClient& client) {
  return std::make_unique<ModelProposer>(store, client);
}

}  // namespace kw::agent
