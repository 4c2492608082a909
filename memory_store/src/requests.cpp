// The ledger of model requests. Whatever could cost money is on disk before it happens.

#include "names.h"
#include "sqlite_store.h"

namespace kw::store {

namespace {

constexpr std::size_t kMaxBodyBytes = 16u << 20;

Status check_size(const std::string& id, std::string_view what, std::size_t bytes) {
  if (bytes <= kMaxBodyBytes) return {};
  return fail(Errc::ResourceExhausted, "request {}: its {} has {} bytes, {} are allowed", id, what,
              bytes, kMaxBodyBytes);
}

struct Known {
  std::string body_hash;
  RequestState state;
};

Result<std::optional<Known>> find(Database& db, const std::string& id) {
  KW_ASSIGN(Statement row, db.query("SELECT body_hash, state FROM request WHERE id = ?1", id));
  KW_ASSIGN(const bool found, row.step());
  if (!found) return std::nullopt;
  Known known;
  known.body_hash = row.text(0);
  KW_ASSIGN(known.state, request_state_from(row.text(1)));
  return known;
}

Answer answer_from(const Statement& row, int first) {
  Answer answer;
  answer.status = static_cast<int>(row.integer(first));
  answer.body = row.text(first + 1);
  answer.input_tokens = row.integer(first + 2);
  answer.output_tokens = row.integer(first + 3);
  answer.first_byte_us = row.integer(first + 4);
  answer.total_us = row.integer(first + 5);
  return answer;
}

}  // namespace

Result<Sending> SqliteStore::record_request_sent(const NewRequest& request) {
  KW_RETURN_IF_ERROR(check_size(request.id, "body", request.body.size()));
  return write(Sync::Full, [&](Database& db) -> Result<Sending> {
    KW_ASSIGN(const auto known, find(db, request.id));
    if (!known) {
      KW_RETURN_IF_ERROR(db.run(R"sql(
          INSERT INTO request(id, job, model, body_hash, body, state, sends, possibly_charged,
                              sent_us)
          VALUES(?1, ?2, ?3, ?4, ?5, 'sent', 1, 0, ?6))sql",
                                request.id, request.job, request.model, request.body_hash,
                                request.body, now_us()));
      return Sending::First;
    }
    if (known->body_hash != request.body_hash) {
      return fail(Errc::Conflict, "request {} is known with another body", request.id);
    }
    if (known->state == RequestState::Answered) return Sending::Answered;
    const bool repeated = known->state == RequestState::Sent;
    KW_RETURN_IF_ERROR(db.run(R"sql(
        UPDATE request SET state = 'sent', sends = sends + 1, sent_us = ?2,
                           possibly_charged = possibly_charged + ?3 WHERE id = ?1)sql",
                              request.id, now_us(), repeated));
    return repeated ? Sending::Repeated : Sending::Again;
  });
}

Status SqliteStore::record_request_refused(const std::string& id, const std::string& reason) {
  return write(Sync::Full, [&](Database& db) -> Status {
    KW_ASSIGN(const auto known, find(db, id));
    if (!known) return fail(Errc::NotFound, "no request {}", id);
    if (known->state == RequestState::Answered) {
      return fail(Errc::Conflict, "request {} has an answer", id);
    }
    KW_RETURN_IF_ERROR(
        db.run("UPDATE request SET state = 'refused', refusal = ?2 WHERE id = ?1", id, reason));
    return {};
  });
}

Result<bool> SqliteStore::record_request_answered(const std::string& id, const Answer& answer) {
  KW_RETURN_IF_ERROR(check_size(id, "answer", answer.body.size()));
  return write(Sync::Full, [&](Database& db) -> Result<bool> {
    KW_ASSIGN(const auto known, find(db, id));
    if (!known) return fail(Errc::NotFound, "no request {}", id);
    if (known->state == RequestState::Answered) return false;
    KW_RETURN_IF_ERROR(db.run(R"sql(
        UPDATE request SET state = 'answered', answered_us = ?2, status = ?3, answer = ?4,
               input_tokens = ?5, output_tokens = ?6, first_byte_us = ?7, total_us = ?8
        WHERE id = ?1)sql",
                              id, now_us(), answer.status, answer.body, answer.input_tokens,
                              answer.output_tokens, answer.first_byte_us, answer.total_us));
    return true;
  });
}

Result<std::optional<Request>> SqliteStore::request(const std::string& id) {
  return read([&](Database& db) -> Result<std::optional<Request>> {
    KW_ASSIGN(Statement row, db.query(R"sql(
        SELECT job, model, body_hash, body, state, sends, possibly_charged, refusal, sent_us,
               coalesce(answered_us, 0), status, answer, input_tokens, output_tokens,
               first_byte_us, total_us
        FROM request WHERE id = ?1)sql",
                                      id));
    KW_ASSIGN(const bool found, row.step());
    if (!found) return std::nullopt;
    Request request;
    request.request = {id, row.text(0), row.text(1), row.text(2), row.text(3)};
    KW_ASSIGN(request.state, request_state_from(row.text(4)));
    request.sends = static_cast<int>(row.integer(5));
    request.possibly_charged = static_cast<int>(row.integer(6));
    request.refusal = row.text(7);
    request.sent_us = row.integer(8);
    request.answered_us = row.integer(9);
    if (request.state == RequestState::Answered) request.answer = answer_from(row, 10);
    return request;
  });
}

Result<std::optional<Answer>> SqliteStore::request_answer(const std::string& id) {
  return read([&](Database& db) -> Result<std::optional<Answer>> {
    KW_ASSIGN(Statement row, db.query(R"sql(
        SELECT status, answer, input_tokens, output_tokens, first_byte_us, total_us
        FROM request WHERE id = ?1 AND state = 'answered')sql",
                                      id));
    KW_ASSIGN(const bool found, row.step());
    if (!found) return std::nullopt;
    return answer_from(row, 0);
  });
}

Result<Spend> SqliteStore::spend(const std::string& job) {
  return read([&](Database& db) -> Result<Spend> {
    constexpr Sql kAll = R"sql(
        SELECT count(*), coalesce(sum(state = 'answered'), 0),
               coalesce(sum(possibly_charged + (state = 'sent')), 0),
               coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0) FROM request)sql";
    constexpr Sql kOne = R"sql(
        SELECT count(*), coalesce(sum(state = 'answered'), 0),
               coalesce(sum(possibly_charged + (state = 'sent')), 0),
               coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0) FROM request
        WHERE job = ?1)sql";
    KW_ASSIGN(Statement row, job.empty() ? db.query(kAll) : db.query(kOne, job));
    KW_RETURN_IF_ERROR(row.step());
    return Spend{row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4)};
  });
}

}  // namespace kw::store
