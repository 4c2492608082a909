// Two seconds after an accept nothing of a loser is left: no process, no socket, no thread at work.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "fakes/scripted_endpoint.h"
#include "fakes/scripted_steps.h"
#include "fakes/temp_dir.h"
#include "kw/agent/model_client.h"
#include "kw/compile/service.h"
#include "kw/process/child.h"
#include "program.h"

namespace kw::e2e {
namespace {

using namespace agent;
using namespace std::chrono_literals;

/// 16 lanes in four ways of being busy. The generator's candidate wins meanwhile.
TEST(Losers, SleepingForkingCompilingAndStreamingLanesAreGoneTwoSecondsAfterAnAccept) {
  fakes::ScriptedEndpoint endpoint([](std::size_t, const std::string&) {
    return fakes::Reply{.text = std::string(1'000'000, 'x'), .piece = 16, .piece_delay = 20ms};
  });
  const auto client = make_curl_client();
  compile::CompileService compiler({.processes = 4});
  std::atomic<int> begun = 0;
  std::atomic<std::size_t> busy_processes = 0;
  std::atomic<int> busy_connections = 0;
  std::string bomb = "template <int N> struct F { enum { v = F<N-1>::v + F<N-2>::v }; };\n";
  for (int i = 0; i < 300; ++i) {
    bomb += fmt::format("template <int N> struct G{} {{ enum {{ v = G{}<N+1>::v * 2 }}; }};\n", i,
                        i + 1);
  }
  bomb += "extern \"C\" __global__ void f(float* y) {";
  for (int i = 0; i < 40'000; ++i) bomb += fmt::format("y[{}]=__sinf(y[{}]);\n", i, i + 1);
  bomb += "}";

  fakes::ScriptedSteps steps([&](const StepContext& context, const StepBody& body,
                                 std::stop_token stop) -> Result<Input> {
    if (const auto* judge = std::get_if<JudgeStep>(&body)) return fakes::passes(context, *judge);
    const auto* ask = std::get_if<AskStep>(&body);
    if (!ask) {
      while (begun < 16 && !stop.stop_requested()) std::this_thread::sleep_for(5ms);
      fakes::sleep_until_stopped(stop, 200ms);
      busy_processes = living_descendants().size();
      busy_connections = endpoint.open_connections();
      return fakes::proposes(context, ProposerKind::Template, {"winner"});
    }
    ++begun;
    switch (ask->lane % 4) {
      case 0:
        fakes::sleep_until_stopped(stop, 60s);
        break;
      case 1: {
        auto child = process::Child::spawn_program(
            "/bin/sh", {"-c", "for i in 1 2 3; do (sleep 300; sleep 300) & done; exec sleep 300"});
        if (!child) return tl::unexpected(child.error());
        process::Wait wait;
        wait.stop = stop;
        (void)child->wait(wait);
        break;
      }
      case 2: {
        CompileRequest request;
        request.source = fmt::format("// {}\n{}", ask->lane, bomb.substr(0, 250'000));
        (void)compiler.compile(request, stop);
        fakes::sleep_until_stopped(stop, 60s);
        break;
      }
      default: {
        Exchange exchange;
        exchange.url = endpoint.url();
        exchange.body = "{}";
        (void)client->send(exchange, stop);
      }
    }
    return fail(Errc::Cancelled, "stopped");
  });

  const fakes::TempDir dir;
  auto store = store::Store::open(dir / "s.sqlite");
  ASSERT_TRUE(store) << store.error().message;
  EngineOptions options;
  options.judge_threads = 2;
  Engine engine(**store, steps, system_clock(), options);
  JobSpec spec;
  spec.task_name = "t";
  spec.keys = {"semantic", "shape"};
  spec.device = "vm";
  spec.device_class = "ptxvm";
  spec.memory = false;
  ModelSpec model;
  model.endpoint = endpoint.url();
  model.model = "m";
  model.lanes = 16;
  spec.model = model;
  store::NewJob job;
  job.kind = "generate";
  job.task_key = spec.keys.shape;
  job.spec = to_json(spec);
  const auto id = engine.submit(job);
  ASSERT_TRUE(id) << id.error().message;
  const auto state = engine.wait(*id);
  ASSERT_TRUE(state) << state.error().message;
  ASSERT_EQ(state->winner, "winner");
  ASSERT_EQ(begun, 16);
  ASSERT_EQ(busy_connections, 4) << "the streaming lanes were at work";
  ASSERT_GT(busy_processes, 4u * 5u) << "the forking lanes were at work";

  const auto deadline = std::chrono::steady_clock::now() + 2s;
  // Compile processes are kept warm, idle, for the next candidate: they are nobody's.
  const auto left = [] { return living_descendants().size(); };
  const std::size_t idle = 4 + 4;  // each with the init of its PID namespace
  while (std::chrono::steady_clock::now() < deadline &&
         (steps.running > 0 || endpoint.open_connections() > 0 || left() > idle)) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(steps.running, 0);
  EXPECT_EQ(endpoint.open_connections(), 0);
  EXPECT_LE(left(), idle);
}

}  // namespace
}  // namespace kw::e2e
