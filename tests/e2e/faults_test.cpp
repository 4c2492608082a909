// What an endpoint can do wrong, against the real program: a typed finding, and the job still ends
// well through the built-in generator.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fakes/scripted_endpoint.h"
#include "fakes/temp_dir.h"
#include "program.h"
#include "relu.h"

namespace kw::e2e {
namespace {

using fakes::Reply;
using fakes::ScriptedEndpoint;
using Json = nlohmann::json;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

struct Case {
  const char* name;
  Reply reply;
  const char* finding;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

struct EndpointFault : ::testing::TestWithParam<Case> {};

std::vector<std::string> generate(const fakes::TempDir& dir, const ScriptedEndpoint& endpoint) {
  return {"generate",    kReluTask,
          "--device",    "vm",
          "--objective", "best",
          "--store",     (dir / "s.sqlite").string(),
          "--json",      "--templates",
          "1",           "--no-memory",
          "--endpoint",  endpoint.url(),
          "--model",     "scripted",
          "--lanes",     "1",
          "--rounds",    "1",
          "--stall",     "0.5",
          "--retries",   "1"};
}

TEST_P(EndpointFault, BecomesATypedFindingAndTheJobEndsWell) {
  ScriptedEndpoint endpoint([](std::size_t, const std::string&) { return GetParam().reply; });
  const fakes::TempDir dir;
  const Ended ended = run(generate(dir, endpoint));
  ASSERT_EQ(ended.code, 0) << ended.err << ended.out;
  const Json result = Json::parse(ended.out)["results"][0];
  EXPECT_EQ(result["status"], "solved");
  EXPECT_EQ(result["winner"]["proposer"], "template");
  ASSERT_EQ(result["findings"].size(), 1u) << ended.out;
  EXPECT_EQ(result["findings"][0]["kind"], GetParam().finding);
  EXPECT_EQ(result["candidates"]["proposed"], 1) << "nothing took the failed answer's place";
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, EndpointFault,
    ::testing::Values(
        Case{"unauthorized", {.status = 401, .text = "{\"error\":\"bad key\"}"}, "unauthorized"},
        Case{"rate_limited", {.status = 429, .headers = {"Retry-After: 0"}}, "rate_limited"},
        Case{"server_error", {.status = 500, .headers = {"Retry-After: 0"}}, "server_error"},
        Case{"stall", {.text = "x", .stall = true}, "stalled"},
        Case{"cut_stream", {.text = std::string(400, 'x'), .cut = true}, "cut_stream"},
        Case{"prose", {.text = prose_answer()}, "prose_only"},
        Case{"host_code", {.text = host_code_answer()}, "host_code"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Endpoint, ARejectedKernelIsFedBackAndTheNextRoundRepairsIt) {
  ScriptedEndpoint endpoint([](std::size_t n, const std::string&) {
    return Reply{.text = n == 0 ? wrong_relu_answer() : good_relu_answer()};
  });
  const fakes::TempDir dir;
  std::vector<std::string> arguments = generate(dir, endpoint);
  const auto rounds = std::find(arguments.begin(), arguments.end(), "--rounds");
  *(rounds + 1) = "3";
  // No templates: the model alone.
  const auto templates = std::find(arguments.begin(), arguments.end(), "--templates");
  *(templates + 1) = "0";
  const Ended ended = run(arguments);
  ASSERT_EQ(ended.code, 0) << ended.err << ended.out;
  const Json result = Json::parse(ended.out)["results"][0];
  EXPECT_EQ(result["winner"]["proposer"], "model");
  EXPECT_EQ(result["model"]["requests"], 2);
  EXPECT_EQ(result["rejected"].size(), 1u);
  const auto log = endpoint.log();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_THAT(log[1].body, HasSubstr("rejected"));
  const Ended replayed =
      run({"show", result["job"].get<std::string>(), "--replay", "--json", "--store", (dir / "s.sqlite").string()});
  ASSERT_EQ(replayed.code, 0) << replayed.out;
  EXPECT_EQ(Json::parse(replayed.out)["winner"], result["winner"]["candidate"]);

  // The same answers, replayed from a transcript without any endpoint.
  const Ended transcript =
      run({"show", result["job"].get<std::string>(), "--transcript", "--store", (dir / "s.sqlite").string()});
  ASSERT_EQ(transcript.code, 0);
  const std::string file = dir / "transcript.json";
  std::FILE* out = std::fopen(file.c_str(), "w");
  std::fputs(transcript.out.c_str(), out);
  std::fclose(out);
  const Ended again =
      run({"generate", kReluTask, "--device", "vm", "--store", (dir / "t.sqlite").string(),
           "--json", "--templates", "0", "--replay", file});
  ASSERT_EQ(again.code, 0) << again.err << again.out;
  EXPECT_EQ(Json::parse(again.out)["results"][0]["winner"]["candidate"],
            result["winner"]["candidate"]);
}

TEST(Endpoint, AFaultOfTheWireIsNoFeedbackForTheModel) {
  ScriptedEndpoint endpoint([](std::size_t n, const std::string&) {
    return Reply{.text = good_relu_answer(), .cut = n == 0};
  });
  const fakes::TempDir dir;
  std::vector<std::string> arguments = generate(dir, endpoint);
  *(std::find(arguments.begin(), arguments.end(), "--rounds") + 1) = "2";
  *(std::find(arguments.begin(), arguments.end(), "--templates") + 1) = "0";
  const Ended ended = run(arguments);
  ASSERT_EQ(ended.code, 0) << ended.err << ended.out;
  const auto log = endpoint.log();
  ASSERT_EQ(log.size(), 2u);
  // Chat templates of many models refuse two turns of one role in a row.
  const Json messages = Json::parse(log[1].body)["messages"];
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0]["role"], "system");
  EXPECT_EQ(messages[1]["role"], "user");
}

TEST(Endpoint, TheKeyIsSentAndLeftNowhere) {
  ScriptedEndpoint endpoint(
      [](std::size_t, const std::string&) { return Reply{.text = prose_answer()}; });
  const fakes::TempDir dir;
  std::vector<std::string> arguments = generate(dir, endpoint);
  arguments.insert(arguments.end(), {"--api-key-env", "KW_TEST_KEY"});
  const std::string key = "sk-0123456789-secret";
  const Ended ended = run(arguments, {"KW_TEST_KEY=" + key});
  ASSERT_EQ(ended.code, 0) << ended.err;
  ASSERT_EQ(endpoint.log().size(), 1u);
  EXPECT_EQ(endpoint.log()[0].authorization, "Bearer " + key);
  EXPECT_THAT(ended.out + ended.err, Not(HasSubstr(key)));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
    if (!entry.is_regular_file()) continue;
    std::FILE* file = std::fopen(entry.path().c_str(), "rb");
    std::string bytes(static_cast<std::size_t>(std::filesystem::file_size(entry.path())), '\0');
    bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
    std::fclose(file);
    EXPECT_EQ(bytes.find(key), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace kw::e2e
