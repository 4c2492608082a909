#include "kw/verify/certificate.h"

#include <gtest/gtest.h>

#include "kw/core/json.h"
#include "kw/verify/judge.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

Passed accept() {
  Passed p;
  p.evidence.judge_version = kJudgeVersion;
  p.evidence.compiler = "NVRTC 13.0.88";
  p.evidence.device = {"cuda", "a GPU", "GPU-1", "580.1", "sm_90"};
  p.evidence.checks = {{"V10.as_drawn.first", true, 7, {{"max_error_in_bounds", 0.25}}, {{"shape", "[3, 65]"}}},
                       {"V12.virtual_machine", true, 8, {}, {{"not_verifiable", "no tensor maps"}}}};
  p.timing = Timing{.median_us = 100, .min_us = 98, .spread_us = 2, .samples = 100, .protocol = "event.coldl2.v1"};
  return p;
}
Certificate certificate() {
  const Task task = scene::relu(3, 65);
  auto made = certify(task, scene::candidate(task, "// k\n"), accept(), 0xabc, true, "0.1");
  EXPECT_TRUE(made);
  return *made;
}
void expect_refused(const std::string& text, Errc code, const std::string& says) {
  const auto got = parse_certificate(text);
  ASSERT_FALSE(got) << says;
  EXPECT_EQ(got.error().code, code) << got.error().message;
  EXPECT_NE(got.error().message.find(says), std::string::npos) << got.error().message;
}

TEST(Certificate, ComesBackWhole) {
  const Certificate was = certificate();
  const auto now = parse_certificate(to_json(was));
  ASSERT_TRUE(now) << now.error().message;
  EXPECT_EQ(to_json(*now), to_json(was));
  EXPECT_EQ(now->seed, 0xabcu);
  EXPECT_EQ(now->source, "// k\n");
  ASSERT_EQ(now->unverified().size(), 1u);
  EXPECT_NE(to_json(was).find("median_interval_us"), std::string::npos);
}
TEST(Certificate, NamesThePartThatWasChanged) {
  const Json good = Json::parse(to_json(certificate()));
  Json bad = good;
  bad["source"]["text"] = "// another\n";
  expect_refused(bad.dump(), Errc::Corrupt, "source");
  bad = good;
  bad["task"]["document"]["policy"] = "half";
  expect_refused(bad.dump(), Errc::Corrupt, "task");
  bad = good;
  bad["plan"]["document"]["run"] = Json::array();
  expect_refused(bad.dump(), Errc::Corrupt, "plan");
  bad = good;
  bad["verdict"]["timing"]["median_us"] = 1;
  expect_refused(bad.dump(), Errc::Corrupt, "its own hash");
}
TEST(Certificate, OfANewerReleaseIsRefusedAsSuch) {
  Json newer = Json::parse(to_json(certificate()));
  newer["v"] = kCertificateVersion + 1;
  expect_refused(newer.dump(), Errc::Corrupt, "newer release");
}
TEST(Certificate, RefusesWhatIsNone) {
  expect_refused("[]", Errc::InvalidArgument, "no certificate");
  expect_refused("{\"kind\":\"certificate\"}", Errc::InvalidArgument, "no version");
  expect_refused("{\"kind\":\"certificate\",\"v\":1}", Errc::InvalidArgument, "'task'");
  EXPECT_FALSE(parse_certificate("{"));
}
TEST(Certificate, IsNotGivenWhereACheckWasLeftOut) {
  Passed p = accept();
  p.evidence.judge_version += " without V7";
  const Task task = scene::relu(3, 65);
  EXPECT_FALSE(certify(task, scene::candidate(task, ""), p, 1, true, "0.1"));
}
TEST(Certificate, AReplaySaysWhatAgreesAndWhatDiffers) {
  const Certificate was = certificate();
  EXPECT_TRUE(compare(was, accept()).differences.empty());
  EXPECT_EQ(compare(was, accept()).checks_agree, 2u);
  Passed other = accept();
  other.evidence.checks[0].figures["max_error_in_bounds"] = 0.5;
  other.evidence.checks.pop_back();
  other.evidence.device.name = "another GPU";
  const Replay replay = compare(was, other);
  EXPECT_TRUE(replay.same_verdict);
  EXPECT_FALSE(replay.same_device);
  EXPECT_EQ(replay.differences.size(), 3u);
  EXPECT_FALSE(compare(was, Rejected{RejectKind::Race, "two blocks", {}, {}}).same_verdict);
}
TEST(Certificate, AJunitReportNamesTheFailure) {
  Rejected r{RejectKind::WrongResult, "a < b & \"c\"", {}, accept().evidence};
  const std::string xml = to_junit("relu <3>", r);
  EXPECT_NE(xml.find("failures=\"1\""), std::string::npos);
  EXPECT_NE(xml.find("a &lt; b &amp; &quot;c&quot;"), std::string::npos);
  EXPECT_NE(xml.find("<skipped"), std::string::npos);
}

}  // namespace
}  // namespace kw::verify
