#include "kw/bench/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kw/bench/suites.h"

namespace kw::bench {
namespace {

using ::testing::HasSubstr;

TEST(BuiltinTasks, HoldLevelsOneAndTwoInOrder) {
  const auto names = builtin_task_names();
  ASSERT_GE(names.size(), 200u);
  EXPECT_EQ(names.front(), "kernelbench:1/1");
  EXPECT_EQ(names[1], "kernelbench:1/1@small");
  for (const char* suite : {"level1", "level1@small", "level2"}) {
    const auto listed = find_suite(suite);
    ASSERT_TRUE(listed);
    for (const std::string& name : listed->tasks) {
      EXPECT_THAT(names, ::testing::Contains(name));
    }
  }
}

TEST(BuiltinTasks, ParseValidateAndCarryTheirName) {
  for (const std::string& name : builtin_task_names()) {
    const auto task = find_task(name);
    ASSERT_TRUE(task) << task.error().message;
    EXPECT_TRUE(validate(*task)) << name;
    EXPECT_EQ(task->name, name);
    EXPECT_EQ(task->provenance.count("sha256"), 1u) << name;
  }
}

TEST(BuiltinTasks, SurviveBeingWrittenAndReadAgain) {
  for (const std::string& name : builtin_task_names()) {
    const auto task = find_task(name);
    ASSERT_TRUE(task) << name;
    const std::string once = to_json(*task);
    const auto again = parse_task(once);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(to_json(*again), once) << name;
  }
}

/// Constants that the model's code writes down are weights that no initialiser makes.
bool is_constant(const Task& task, ValueId id) {
  return std::any_of(task.draws.begin(), task.draws.end(), [&](const Draw& draw) {
    return draw.value == id && (draw.steps.front().op == DrawStep::Op::Constant ||
                                draw.steps.front().op == DrawStep::Op::Values);
  });
}

TEST(BuiltinTasks, DrawEveryInputOnceAndReplayEveryParameter) {
  for (const std::string& name : builtin_task_names()) {
    const auto task = find_task(name);
    ASSERT_TRUE(task) << name;
    std::size_t given = 0;
    for (const Role role : {Role::Input, Role::Weight, Role::State}) {
      given += task->graph.with_role(role).size();
    }
    EXPECT_EQ(task->draws.size(), given) << name;
    for (const ValueId id : task->graph.with_role(Role::Weight)) {
      if (is_constant(*task, id)) continue;
      const std::string& parameter = task->graph.value(id).name;
      EXPECT_TRUE(std::any_of(task->constructor.begin(), task->constructor.end(),
                              [&](const InitCall& call) { return call.parameter == parameter; }))
          << name << " " << parameter;
    }
  }
}

TEST(BuiltinTasks, KeepTheOperatorsThatTheProblemIsAbout) {
  const auto linear = find_task("kernelbench:2/99");
  ASSERT_TRUE(linear);
  std::vector<std::string> ops;
  for (const Node& node : linear->graph.nodes) ops.push_back(node.op);
  EXPECT_THAT(ops, ::testing::ElementsAre("aten.linear", "aten.gelu", "aten.softmax.int"));
}

TEST(FindTask, NamesTheNearestTasksWhenThereIsNone) {
  const auto task = find_task("kernelbench:1/101@small");
  ASSERT_FALSE(task);
  EXPECT_EQ(task.error().code, Errc::NotFound);
  EXPECT_THAT(task.error().message, HasSubstr("'kernelbench:1/101@small'"));
  EXPECT_THAT(task.error().message, HasSubstr("nearest: kernelbench:1/1"));
}

TEST(FindTask, RefusesNamesThatOnlyBeginLikeOne) {
  for (const char* name : {"", "kernelbench:", "kernelbench:1", "kernelbench:1/",
                           "kernelbench:1/19 ", "kernelbench:1/19@smal", "kernelbench:-1/19",
                           "kernelbench:1/99999999999999999999", "1/19"}) {
    const auto task = find_task(name);
    ASSERT_FALSE(task) << name;
    EXPECT_EQ(task.error().code, Errc::NotFound) << name;
  }
  EXPECT_FALSE(find_task(std::string(1u << 20, 'k')));  // and quickly
}

TEST(FindTask, KnowsEveryTaskOfTheKernelBenchSuite) {
  for (const char* name : {"kernelbench20", "kernelbench20@small"}) {
    const auto suite = find_suite(name);
    ASSERT_TRUE(suite);
    EXPECT_EQ(suite->tasks.size(), 20u);
    for (const std::string& task : suite->tasks) EXPECT_TRUE(find_task(task)) << task;
  }
}

TEST(FindTask, TheirPolicyInEffectLeavesOutWhatTheGraphLacks) {
  const auto in_effect = [](const char* name) {
    auto task = find_task(name);
    EXPECT_TRUE(task) << name;
    task->policy = *parse_policy("convolution=tf32,recurrence=tf32,contraction=ieee,other=ieee");
    return to_string(policy_in_effect(*task));
  };
  EXPECT_EQ(in_effect("kernelbench:1/1@small"), "ieee");
  EXPECT_EQ(in_effect("kernelbench:1/50@small"),
            to_string(*parse_policy("convolution=tf32,recurrence=ieee,contraction=ieee,other=ieee")));
  EXPECT_EQ(in_effect("kernelbench:3/39@small"),
            to_string(*parse_policy("convolution=ieee,recurrence=tf32,contraction=ieee,other=ieee")));
}

}  // namespace
}  // namespace kw::bench
