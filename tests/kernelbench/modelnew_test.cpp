// Exported modules: what is written for a plan, and what is refused.

#include "kw/bench/modelnew.h"

#include <gtest/gtest.h>

#include "kw/bench/tasks.h"
#include "kw/launch/bind.h"

namespace kw::bench {
namespace {

constexpr std::string_view kTask = R"({"v":1,"kind":"task","name":"mine:scale","policy":"ieee",
  "graph":{"v":1,
    "values":[{"name":"x","dtype":"f32","shape":[4,8],"role":"input"},
              {"name":"random.0","dtype":"f32","shape":[8],"role":"input"},
              {"name":"w","dtype":"f32","shape":[8],"role":"weight"},
              {"name":"count","dtype":"i64","shape":[],"role":"state"},
              {"name":"y","dtype":"f32","shape":[4,8],"role":"scratch"},
              {"name":"z","dtype":"f32","shape":[4,8],"role":"output"},
              {"name":"count.next","dtype":"i64","shape":[],"role":"output"}],
    "nodes":[{"op":"aten.mul","in":["x","w"],"out":["y"],"attrs":{}},
             {"op":"aten.add","in":["y","random.0"],"out":["z"],"attrs":{"alpha":1}},
             {"op":"aten.add","in":["count"],"out":["count.next"],"attrs":{"other":1,"alpha":1}}],
    "outputs":["z","count.next"]},
  "draws":{"x":[["uniform",0,1]],"random.0":[["uniform",0,1]],"w":[["uniform",-0.5,0.5]],
           "count":[["constant",3]]},
  "constructor":[["w","uniform_",[8],[-0.5,0.5]]]})";

constexpr std::string_view kPlan = R"({"v":1,"symbols":{},
  "buffers":[{"name":"x","role":"input","dtype":"f32","bytes":128},
             {"name":"random.0","role":"input","dtype":"f32","bytes":32},
             {"name":"w","role":"weight","dtype":"f32","bytes":32},
             {"name":"count","role":"state","dtype":"i64","bytes":8},
             {"name":"z","role":"output","dtype":"f32","bytes":128},
             {"name":"count.next","role":"output","dtype":"i64","bytes":8},
             {"name":"ws_flags","role":"scratch","dtype":"u8","bytes":64,"init":"each_run","fill":7}],
  "setup":[],
  "run":[{"kind":"kernel","kernel":"scale","grid":[2,1,1],"block":[64,1,1],"shared":65536,
          "args":[{"buffer":"x"},{"buffer":"w","offset":16},{"scalar":"i32","value":258},
                  {"buffer":"z"},{"buffer":"random.0"},{"buffer":"ws_flags"}]},
         {"kind":"kernel","kernel":"count_up","grid":[1,1,1],"block":[1,1,1],
          "args":[{"buffer":"count"},{"buffer":"count.next"}]}]})";

class ModelNewTest : public testing::Test {
 protected:
  void SetUp() override {
    auto task = parse_task(kTask);
    ASSERT_TRUE(task) << task.error().message;
    task_ = std::move(*task);
    auto plan = parse_launch_plan(kPlan);
    ASSERT_TRUE(plan) << plan.error().message;
    candidate_.plan = std::move(*plan);
    candidate_.source = "extern \"C\" __global__ void scale() {}\n";
    auto bound = launch::bind(candidate_.plan);
    ASSERT_TRUE(bound) << bound.error().message;
    bound_ = std::move(*bound);
  }
  Result<std::string> write() const {
    return to_python({.task = task_,
                      .candidate = candidate_,
                      .plan = bound_,
                      .kernel = "abc",
                      .notes = {"Fast."}});
  }
  void expect_refused(std::string_view text) const {
    const auto written = write();
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::Unsupported);
    EXPECT_NE(written.error().message.find(text), std::string::npos) << written.error().message;
  }

  Task task_;
  Candidate candidate_;
  launch::BoundPlan bound_;
};

TEST_F(ModelNewTest, HoldsThePlanAsTables) {
  const auto text = write();
  ASSERT_TRUE(text) << text.error().message;
  for (const char* line : {
           "# mine:scale: written by Kernelwright",
           "# Fast.",
           "(const void*)&scale, {2, 1, 1}, {64, 1, 1}, {1, 1, 1}, 65536, false, false, 6}",
           "    {0, 2, 16},\n",                  // w, 16 bytes in
           "    {6, 7, 0, 64},  // ws_flags\n",  // due before each run
           "2,1,0,0,",                           // 258
           "kw_given[] = {0,1,2,3,4,5,}",
           "    {6, 0},\n    {7, 0},\n};\nconst short",    // the flags at the start of the workspace
           "char* base[8] = {}",
           "_kw_workspace = 256",
           "(\"x\", torch.float32, [4,8]),",
           "(\"count\", torch.int64, []),\n]\n_kw_made",
           "(\"w\", \"uniform_\", [8], [-0.5, 0.5]),",
           "(\"count\", torch.int64, [], [[\"constant\", 3.0]]),",
           "_kw_updated = [\"count\", ]",
           "_kw_random = [(1, \"rand\", [8]), ]",
           "made[1:]",
           "return made[0]",
       }) {
    EXPECT_NE(text->find(line), std::string::npos) << line << "\n" << *text;
  }
  EXPECT_EQ(text->find('@'), std::string::npos) << "a hole is left";
}

TEST_F(ModelNewTest, TheSameKernelGivesTheSameBytes) { EXPECT_EQ(*write(), *write()); }

TEST_F(ModelNewTest, RefusesWhatPyTorchCannotBeGiven) {
  candidate_.source = "/* \"\"\" */";
  expect_refused("ends a Python string");
  candidate_.source.clear();
  bound_.run.front().what = launch::BoundPredicate{};
  expect_refused("/run/0: predicates");
  bound_.run.clear();
  expect_refused("launches nothing");
}

TEST_F(ModelNewTest, RefusesStateThatNobodyCanMake) {
  for (Draw& draw : task_.draws) {
    if (task_.graph.value(draw.value).name == "count")
      draw.steps = {{DrawStep::Op::Normal, 0, 1, {}}};
  }
  expect_refused("'count' is drawn at random");
}

TEST_F(ModelNewTest, RefusesAnOutputThatIsAnInput) {
  task_.graph.outputs.push_back(0);
  expect_refused("the output 'x'");
}

TEST(ModelNewFile, IsNamedAsKernelBenchLooksForIt) {
  EXPECT_EQ(modelnew_file_name("kernelbench:1/19"), "level_1_problem_19_sample_0_kernel.py");
  EXPECT_EQ(modelnew_file_name("kernelbench:1/19@small"), "kernelbench_1_19_small.py");
  EXPECT_EQ(modelnew_file_name("my.model"), "my_model.py");
}

}  // namespace
}  // namespace kw::bench
