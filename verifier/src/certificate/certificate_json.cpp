#include "kw/core/json.h"
#include "kw/core/keys.h"
#include "kw/core/sha256.h"
#include "kw/verify/certificate.h"
#include "kw/verify/judge.h"

namespace kw::verify {
namespace {

Json document(const std::string& text) { return Json::parse(text, nullptr, false); }

std::string hash_of(const Json& value) { return sha256_hex(dump(value)); }

Json hashed(Json value, const char* member) {
  std::string hash = hash_of(value);
  return {{member, std::move(value)}, {"sha256", std::move(hash)}};
}

/// The text or document of `member` in the object `part`, checked against its hash.
Result<Json> checked(const Json& doc, const char* part, const char* member) {
  const auto found = doc.find(part);
  if (found == doc.end() || !found->is_object() || !found->contains(member) ||
      !found->contains("sha256")) {
    return fail(Errc::InvalidArgument, "the certificate has no '{}' with a hash", part);
  }
  if ((*found)["sha256"] != hash_of((*found)[member])) {
    return fail(Errc::Corrupt, "the certificate's {} does not match its hash: it was changed", part);
  }
  return (*found)[member];
}

}  // namespace

std::string to_json(const Certificate& c) {
  const Evidence& evidence = c.verdict.evidence;
  Json out = {{"v", kCertificateVersion},
              {"kind", "certificate"},
              {"release", c.release},
              {"judge", evidence.judge_version},
              {"task", hashed(document(to_json(c.task)), "document")},
              {"source", hashed(c.source, "text")},
              {"plan", hashed(document(to_json(c.plan)), "document")},
              {"policy", to_string(c.task.policy)},
              {"determinism", c.task.determinism == Determinism::Bitwise ? "bitwise" : "within_bound"},
              {"seed", fmt::format("{:016x}", c.seed)},
              {"full", c.full},
              {"compiler", {{"name", evidence.compiler}, {"arch", c.arch}, {"defines", Json::array()}}},
              {"verdict", document(to_json(Outcome{c.verdict}))},
              {"unverified", c.unverified()}};
  if (c.verdict.timing) {
    const double half = median_half_width_us(*c.verdict.timing);
    out["median_interval_us"] = {number_json(c.verdict.timing->median_us - half),
                                 number_json(c.verdict.timing->median_us + half)};
  }
  out["sha256"] = hash_of(out);
  return dump(out, 1) + "\n";
}

Result<Certificate> parse_certificate(std::string_view text) {
  KW_ASSIGN(Json doc, parse_json(text, {.bytes = kMaxCertificateBytes}));
  if (!doc.is_object() || doc.value("kind", Json()) != "certificate") {
    return fail(Errc::InvalidArgument, "this is no certificate");
  }
  const auto version = doc.find("v");
  if (version == doc.end() || !version->is_number_integer()) {
    return fail(Errc::InvalidArgument, "the certificate has no version");
  }
  if (*version > kCertificateVersion) {
    return fail(Errc::Corrupt, "the certificate is of version {}, written by a newer release; this one reads {}",
                version->get<std::int64_t>(), kCertificateVersion);
  }
  Certificate c;
  KW_ASSIGN(const Json task, checked(doc, "task", "document"));
  KW_ASSIGN(const Json source, checked(doc, "source", "text"));
  KW_ASSIGN(const Json plan, checked(doc, "plan", "document"));
  const Json total = doc.value("sha256", Json());
  doc.erase("sha256");
  if (total != hash_of(doc)) {
    return fail(Errc::Corrupt, "the certificate does not match its own hash: it was changed");
  }
  KW_ASSIGN(JsonReader reader, JsonReader::object(doc, ""));
  KW_ASSIGN(c.release, reader.string("release"));
  KW_ASSIGN(const std::string seed, reader.string("seed"));
  if (seed.size() != 16 || seed.find_first_not_of("0123456789abcdef") != seed.npos) {
    return fail(Errc::InvalidArgument, "/seed: '{}' is not 16 hexadecimal digits", seed);
  }
  c.seed = std::stoull(seed, nullptr, 16);
  KW_ASSIGN(c.full, reader.boolean_or("full", false));
  KW_ASSIGN(const Json* compiler, reader.member("compiler"));
  KW_ASSIGN(JsonReader how, JsonReader::object(*compiler, "/compiler"));
  KW_ASSIGN(c.arch, how.string("arch"));
  if (!source.is_string()) return fail(Errc::InvalidArgument, "/source/text: no text");
  c.source = source.get<std::string>();
  KW_ASSIGN(c.task, parse_task(dump(task)));
  KW_ASSIGN(c.plan, parse_launch_plan(dump(plan)));
  KW_ASSIGN(const Json* verdict, reader.member("verdict"));
  KW_ASSIGN(Outcome outcome, parse_outcome(dump(*verdict)));
  auto* good = std::get_if<Passed>(&outcome);
  if (good == nullptr) return fail(Errc::InvalidArgument, "/verdict: a certificate is of an accept");
  c.verdict = std::move(*good);
  return c;
}

}  // namespace kw::verify
