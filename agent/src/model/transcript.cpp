#include "kw/agent/transcript.h"

#include "answer.h"
#include "kw/agent/decide.h"
#include "kw/agent/steps.h"
#include "kw/core/json.h"

namespace kw::agent {
namespace {

class ReplayProposer final : public Proposer {
 public:
  explicit ReplayProposer(store::Store& store) : store_(store) {}
  ProposerKind kind() const override { return ProposerKind::Replay; }

  Result<Proposal> propose(const ProposeRequest& request, std::stop_token) override {
    KW_ASSIGN(const std::string bytes, store_.get_blob(request.spec.transcript));
    KW_ASSIGN(const Transcript transcript, parse_transcript(bytes));
    Proposal proposal;
    std::size_t refused = 0;
    for (const TranscriptAnswer& answer : transcript.answers) {
      if (std::ssize(proposal.offers) >= request.limit) break;
      auto parsed = parse_answer(answer.text, answer.finish_reason, transcript.model);
      if (auto* candidate = std::get_if<Candidate>(&parsed)) {
        candidate->proposer = ProposerKind::Replay;
        proposal.offers.push_back({std::move(*candidate), {}});
        continue;
      }
      ++refused;
      if (!proposal.finding) proposal.finding = std::get<Finding>(std::move(parsed));
    }
    if (proposal.finding) {
      proposal.finding->text =
          fmt::format("{} of {} recorded answers are no candidates; first: {}", refused,
                      transcript.answers.size(), proposal.finding->text);
    }
    return proposal;
  }

 private:
  store::Store& store_;
};

}  // namespace

std::unique_ptr<Proposer> make_replay_proposer(store::Store& store) {
  return std::make_unique<ReplayProposer>(store);
}

std::string to_json(const Transcript& transcript) {
  Json answers = Json::array();
  for (const TranscriptAnswer& a : transcript.answers) {
    answers.push_back({{"lane", a.lane},
                       {"round", a.round},
                       {"text", a.text},
                       {"finish_reason", a.finish_reason}});
  }
  return dump({{"v", 1},
               {"kind", "transcript"},
               {"model", transcript.model},
               {"answers", std::move(answers)}});
}

Result<Transcript> parse_transcript(std::string_view json) {
  KW_ASSIGN(const Json doc, parse_json(json, {.bytes = kMaxTranscriptBytes}));
  KW_ASSIGN(JsonReader r, JsonReader::object(doc, ""));
  KW_ASSIGN([[maybe_unused]] const std::int64_t version, r.integer("v", 1, 1));
  KW_ASSIGN(const std::string kind, r.string("kind"));
  if (kind != "transcript") {
    return fail(Errc::InvalidArgument, "{}: '{}' is no transcript", r.at("kind"), kind);
  }
  Transcript transcript;
  KW_ASSIGN(transcript.model, r.string("model"));
  KW_ASSIGN(const Json* answers, r.array("answers"));
  for (std::size_t i = 0; i < answers->size(); ++i) {
    KW_ASSIGN(JsonReader a,
              JsonReader::object((*answers)[i], fmt::format("{}/{}", r.at("answers"), i)));
    TranscriptAnswer answer;
    KW_ASSIGN(const std::int64_t lane, a.integer("lane", 0, 1 << 16));
    KW_ASSIGN(const std::int64_t round, a.integer("round", 0, 1 << 16));
    answer.lane = static_cast<int>(lane);
    answer.round = static_cast<int>(round);
    KW_ASSIGN(answer.text, a.string("text"));
    KW_ASSIGN(answer.finish_reason, a.string("finish_reason"));
    KW_RETURN_IF_ERROR(a.finish());
    transcript.answers.push_back(std::move(answer));
  }
  KW_RETURN_IF_ERROR(r.finish());
  return transcript;
}

Result<Transcript> record_transcript(store::Store& store, const std::string& job) {
  KW_ASSIGN(const std::vector<Event> events, store.events(job));
  Transcript transcript;
  for (const Event& event : events) {
    KW_ASSIGN(const Fact fact, parse_fact(event.type, event.version, event.payload));
    if (const auto* created = std::get_if<JobCreated>(&fact); created && created->spec.model) {
      transcript.model = created->spec.model->model;
    }
    const auto* proposed = std::get_if<Proposed>(&fact);
    if (!proposed || proposed->lane < 0) continue;
    KW_ASSIGN(const auto answer, store.request_answer(proposed->step));
    if (!answer) continue;
    KW_ASSIGN(const Json doc, parse_json(answer->body));
    const auto reason = doc.is_object() ? doc.find("finish_reason") : doc.end();
    if (reason == doc.end() || !reason->is_string()) continue;  // a fault, not an answer
    const auto text = doc.find("text");
    if (text == doc.end() || !text->is_string()) continue;
    transcript.answers.push_back(
        {proposed->lane, proposed->round, text->get<std::string>(), reason->get<std::string>()});
  }
  return transcript;
}

}  // namespace kw::agent
