// The command line as a user meets it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "fakes/scripted_endpoint.h"
#include "fakes/temp_dir.h"
#include "kw/core/random.h"
#include "kw/store/store.h"
#include "program.h"
#include "relu.h"

namespace kw::e2e {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct Cli : ::testing::Test {
  std::string store() const { return dir / "s.sqlite"; }
  Ended cli(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--store", store()});
    return run(arguments);
  }
  fakes::TempDir dir;
};

TEST_F(Cli, TheSecondGenerateIsAnsweredFromMemoryAndJudgedAgain) {
  const Ended first = cli({"generate", kReluTask, "--device", "vm", "--json"});
  ASSERT_EQ(first.code, 0) << first.err << first.out;
  const Json made = Json::parse(first.out)["results"][0];
  EXPECT_EQ(made["winner"]["from_memory"], false);

  const auto begun = std::chrono::steady_clock::now();
  const Ended second = cli({"generate", kReluTask, "--device", "vm", "--json"});
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  ASSERT_EQ(second.code, 0) << second.err << second.out;
  const Json known = Json::parse(second.out)["results"][0];
  EXPECT_EQ(known["winner"]["from_memory"], true);
  EXPECT_EQ(known["winner"]["judged_again"], true);
  EXPECT_EQ(known["winner"]["candidate"], made["winner"]["candidate"]);
  EXPECT_EQ(known["candidates"]["proposed"], 1) << "nothing was generated";

  const Ended text = cli({"generate", kReluTask, "--device", "vm"});
  EXPECT_THAT(text.out, HasSubstr("from memory"));
  EXPECT_THAT(text.out, HasSubstr("judged again"));
}

TEST_F(Cli, ExitCodesAndMessagesForBadUsage) {
  EXPECT_EQ(cli({"generate"}).code, 2);
  EXPECT_EQ(cli({"generate", kReluTask, "--device", "tpu"}).code, 2);
  EXPECT_EQ(cli({"generate", kReluTask, "--endpoint", "http://x/v1"}).code, 2);
  const Ended unknown = cli({"generate", "kernelbench:1/9999", "--device", "vm"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("kernelbench:1/9999"));
  const Ended missing = cli({"generate", "nowhere.json", "--device", "vm", "--json"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_EQ(Json::parse(missing.out)["error"]["code"], "not_found");
  EXPECT_EQ(run({"generate", kReluTask, "--store", "/proc/nowhere/s.sqlite"}).code, 3);
  EXPECT_EQ(cli({"tune", kReluTask, "--device", "vm"}).code, 3);
}

TEST_F(Cli, HelpShowsExamples) {
  const Ended help = run({"generate", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("Examples:"));
  EXPECT_EQ(run({"--version"}).code, 0);
}

TEST_F(Cli, AnUnknownOperatorIsNamedWithItsNode) {
  std::ofstream(dir / "task.json") << R"({"v":1,"kind":"task","name":"t","graph":{"v":1,"values":[
         {"name":"x","dtype":"f32","shape":[4],"role":"input"},
         {"name":"y","dtype":"f32","shape":[4],"role":"output"}],
         "nodes":[{"op":"aten.frobnicate","in":["x"],"out":["y"],"attrs":{}}],"outputs":["y"]},
         "draws":{"x":[["uniform",0,1]]},"policy":"ieee","determinism":"within_bound",
         "setup_is_timed":true,"constructor":[],"provenance":{}})";
  const Ended ended = cli({"generate", dir / "task.json", "--device", "vm"});
  EXPECT_EQ(ended.code, 2) << ended.err << ended.out;
  EXPECT_THAT(ended.err + ended.out, HasSubstr("aten.frobnicate"));
}

TEST_F(Cli, EveryAcceptLeavesACertificateThatReplays) {
  const Ended made = cli({"generate", kReluTask, "--device", "vm", "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  const Json result = Json::parse(made.out)["results"][0];
  const std::string certificate = result["certificate"].get<std::string>();
  EXPECT_THAT(certificate, HasSubstr("/certificates/"));
  EXPECT_TRUE(result["judging_s"].contains("V11")) << result.dump();
  // Its inputs are positive: the input itself would pass for the answer, and that is said.
  EXPECT_EQ(result["sanity"]["class"], "degenerate");
  EXPECT_EQ(result["sanity"]["solved_by"], "input");
  const Ended again = cli({"verify", certificate, "--device", "vm", "--json"});
  EXPECT_EQ(again.code, 0) << again.err;
  const Json replay = Json::parse(again.out)["replay"];
  EXPECT_EQ(replay["same_verdict"], true);
  EXPECT_EQ(replay["differences"].size(), 0u) << replay.dump();
  const std::string elsewhere = dir / "accepts";
  const Ended named =
      cli({"generate", kReluTask, "--device", "vm", "--json", "--certificates", elsewhere});
  ASSERT_EQ(named.code, 0) << named.err;
  EXPECT_TRUE(
      std::filesystem::exists(std::string(Json::parse(named.out)["results"][0]["certificate"])));
  EXPECT_FALSE(std::filesystem::is_empty(elsewhere));
}

TEST_F(Cli, ABenchInPartsAsksBeforeItSearchesAndLeavesCertificates) {
  const std::string accepts = dir / "accepts", lines = dir / "lines.jsonl";
  const Ended ended = cli({"bench", "first41", "--device", "vm", "--lines", lines, "--shard",
                           "1/41", "--certificates", accepts});
  EXPECT_EQ(ended.code, 1) << ended.err;  // forty tasks are other shards'
  std::ifstream file(lines);
  std::string line;
  ASSERT_TRUE(std::getline(file, line)) << ended.err;
  const Json result = Json::parse(line);
  EXPECT_EQ(result["class"], "genuine") << line;
  EXPECT_GT(result["trivial"]["zeros"].get<double>(), 1) << line;
  ASSERT_FALSE(std::filesystem::is_empty(accepts));
  const std::string certificate = std::filesystem::directory_iterator(accepts)->path();
  EXPECT_EQ(cli({"verify", certificate, "--device", "vm"}).code, 0);
}

TEST_F(Cli, VerifyJudgesAFileAndSaysNoToAWrongOne) {
  const Ended made = cli({"generate", kReluTask, "--device", "vm", "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  const std::string job = Json::parse(made.out)["results"][0]["job"].get<std::string>();
  const std::string bundle = dir / "bundle";
  const Ended exported = cli({"export", job, "-o", bundle, "--device", "vm"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  for (const char* file :
       {"kernel.cu", "kernel.ptx", "kernel.cubin", "plan.json", "task.json", "evidence.json",
        "README.md", "libkernelwright.so", "kernelwright.h", "run.c"}) {
    EXPECT_TRUE(std::filesystem::exists(bundle + "/" + file)) << file;
  }
  EXPECT_EQ(cli({"verify", bundle, "--device", "vm"}).code, 0);
  std::string source;
  {
    std::ifstream in(bundle + "/kernel.cu");
    source.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::ofstream(bundle + "/kernel.cu") << "#error broken\n" << source;
  const Ended tampered = cli({"verify", bundle, "--device", "vm", "--json"});
  EXPECT_EQ(tampered.code, 2) << tampered.out;
  EXPECT_THAT(tampered.out, HasSubstr("kernel.cu is not what certificate.json certifies"));
  std::filesystem::remove(bundle + "/certificate.json");
  const Ended broken = cli({"verify", bundle, "--device", "vm", "--json"});
  EXPECT_EQ(broken.code, 1) << broken.err;
  EXPECT_EQ(Json::parse(broken.out)["passed"], false);
  EXPECT_EQ(cli({"export", job, "-o", bundle, "--device", "vm"}).code, 2) << "not overwritten";
}

TEST_F(Cli, CtrlCStopsAtOnceAndTheSameCommandGoesOn) {
  fakes::ScriptedEndpoint endpoint([](std::size_t n, const std::string&) {
    return fakes::Reply{
        .text = good_relu_answer(),
        .delay = n == 0 ? std::chrono::milliseconds(60'000) : std::chrono::milliseconds(0)};
  });
  const std::vector<std::string> arguments{
      "generate", kReluTask,  "--device",   "vm",           "--objective", "best",       "--store",
      store(),    "--json",   "--endpoint", endpoint.url(), "--model",     "scripted",   "--lanes",
      "1",        "--rounds", "1",          "--templates",  "0",           "--no-memory"};
  {
    Program program(arguments);
    while (endpoint.log().empty()) std::this_thread::sleep_for(10ms);
    const auto begun = std::chrono::steady_clock::now();
    program.signal(SIGINT);
    const auto ended = program.wait(10s);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->code, 130) << ended->err;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  }
  const Ended again = run(arguments);
  ASSERT_EQ(again.code, 0) << again.err << again.out;
  EXPECT_EQ(Json::parse(again.out)["results"][0]["resumed"], true);
  const auto opened = store::Store::open(store());
  ASSERT_TRUE(opened);
  EXPECT_EQ((*opened)->spend("")->possibly_charged, 1);
}

TEST_F(Cli, CtrlCAtAnyMomentLosesNothing) {
  const std::vector<std::string> arguments{"generate", kReluTask, "kernelbench:2/12@small",
                                           "--device", "vm",      "--no-memory",
                                           "--json",   "--store", store()};
  RandomStream random(5, purpose("test.interrupt"));
  int interrupted = 0;
  for (int i = 0; i < 6; ++i) {
    Program program(arguments);
    const auto moment = std::chrono::milliseconds(static_cast<int>(900 * random.uniform()));
    auto ended = program.wait(moment);
    if (!ended) {
      program.signal(SIGINT);
      ended = program.wait(10s);
    }
    ASSERT_TRUE(ended) << "after " << moment.count() << " ms";
    // Before the program is ready for it, the signal ends it as it ends any program.
    const bool by_signal = ended->signal == SIGINT && ended->out.empty();
    EXPECT_TRUE(by_signal || ended->code == 130 || ended->code == 0) << ended->code << ended->err;
    interrupted += by_signal || ended->code == 130;
  }
  EXPECT_GT(interrupted, 0);
  const Ended last = run(arguments);
  ASSERT_EQ(last.code, 0) << last.err << last.out;
  EXPECT_EQ(Json::parse(last.out)["solved"], 2);
  const auto opened = store::Store::open(store());
  ASSERT_TRUE(opened) << opened.error().message;
  store::JobFilter open_jobs;
  open_jobs.states = {store::JobState::Queued, store::JobState::Running};
  EXPECT_TRUE((*opened)->jobs(open_jobs)->empty()) << "the same command goes on with its jobs";
}

TEST_F(Cli, TwoProcessesShareOneStore) {
  const std::vector<std::string> one{"generate", kReluTask, "--device", "vm",
                                     "--json",   "--store", store()};
  std::vector<std::string> other = one;
  other[1] = "kernelbench:1/25@small";
  Program first(one), second(other), third(one);
  for (Program* each : {&first, &second, &third}) {
    const auto ended = each->wait(60s);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->code, 0) << ended->err << ended->out;
  }
}

TEST_F(Cli, SeveralTasksEndWithATable) {
  const Ended ended = cli({"generate", kReluTask, "kernelbench:1/25@small", "--device", "vm"});
  EXPECT_EQ(ended.code, 0) << ended.err << ended.out;
  EXPECT_THAT(ended.out, HasSubstr("2 of 2 tasks solved"));
}

TEST_F(Cli, AStoreFromANewerReleaseIsRefused) {
  ASSERT_EQ(cli({"generate", kReluTask, "--device", "vm"}).code, 0);
  std::fstream file(store(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(60);  // user_version of the SQLite header, big-endian
  file.write("\x00\x00\x7f\x00", 4);
  file.close();
  const Ended ended = cli({"generate", kReluTask, "--device", "vm"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("newer"));
}

TEST_F(Cli, DoctorSaysWhatWorks) {
  const Ended ended = cli({"doctor", "--json"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_EQ(Json::parse(ended.out)["kind"], "doctor");
}

}  // namespace
}  // namespace kw::e2e
